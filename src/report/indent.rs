//! JSON for people as well as for scripts: each value on a line of its own.

use serde_json::ser::Formatter;
use std::io;

/// Writes JSON indented by two spaces, as `serde_json`'s own formatter does, but each line break and its indent at once: a
/// document is half line breaks, and that one writes them in as many pieces as they are deep.
#[derive(Default, Debug)]
pub(super) struct Indented {
    depth: usize,
    /// Whether the innermost array or object holds a value: an empty one stays on its line.
    filled: bool,
}

impl Indented {
    fn begin<W: ?Sized + io::Write>(&mut self, out: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.filled = false;
        out.write_all(bracket)
    }

    fn end<W: ?Sized + io::Write>(&mut self, out: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth = self.depth.saturating_sub(1);
        if self.filled {
            self.line(out, true)?;
        }
        self.filled = true;
        out.write_all(bracket)
    }

    /// Begins a line, behind a comma unless it is the first.
    fn line<W: ?Sized + io::Write>(&self, out: &mut W, first: bool) -> io::Result<()> {
        let (comma, mut indent) = (usize::from(first), 2 * self.depth);
        let piece = indent.min(LINE.len() - 2);
        out.write_all(LINE.get(comma..2 + piece).unwrap_or_default())?;
        indent -= piece;
        (0..indent).try_for_each(|_| out.write_all(b" "))
    }
}

/// The indent of 16 levels; no document of ours goes deeper.
const LINE: &[u8] = b",\n                                ";

impl Formatter for Indented {
    fn begin_array<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.begin(out, b"[")
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.end(out, b"]")
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.line(out, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.filled = true;
        Ok(())
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.begin(out, b"{")
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.end(out, b"}")
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.line(out, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.filled = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Serialize as _;
    use serde_json::json;

    #[test]
    fn documents_look_as_those_of_serde_json() {
        let mut deep = json!([1]);
        for _ in 0..40 {
            deep = json!({ "in": [deep, {}, []], "beside": null });
        }
        for value in [json!({}), json!([]), json!("one"), json!([[], {}, [[]], { "a": {} }, 1, [2, 3]]), deep]
        {
            let mut out = Vec::new();
            let formatter = Indented::default();
            value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, formatter)).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), serde_json::to_string_pretty(&value).unwrap());
        }
    }
}
