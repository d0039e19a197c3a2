//! HTTP/2 of which the capture lacks the beginning, known by its frames.

use super::frame::is_plausible;
use super::hpack::{Hpack, Text};

/// What a segment holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Midway<'a> {
    /// No frames, or none that can be told from bytes at random.
    Nothing,
    /// Frames that either side may have sent.
    Frames,
    /// Frames with a request.
    Request,
    /// Frames with a response.
    Response,
    /// Frames, among them DATA with this payload.
    Data(&'a [u8]),
}

/// Tells whether a segment of a connection joined midway begins a frame and holds nothing but frames, and what shows who
/// sent it. Bytes at random pass about once in ten million segments: a frame has to end where the segment does, or
/// another one has to follow.
pub fn midway(segment: &[u8]) -> Midway<'_> {
    let (mut rest, mut whole, mut found) = (segment, 0_u32, Midway::Frames);
    while let Some((&header, body)) = rest.split_first_chunk::<9>() {
        let [a, b, c, kind, flags, stream @ ..] = header;
        let length = u32::from_be_bytes([0, a, b, c]);
        if !is_plausible(kind, flags, length, u32::from_be_bytes(stream)) {
            return Midway::Nothing;
        }
        let Some((payload, after)) = body.split_at_checked(usize::try_from(length).unwrap_or(usize::MAX))
        else {
            break;
        };
        rest = after;
        whole = whole.saturating_add(1);
        if found == Midway::Frames {
            found = match kind {
                0 if flags & 0x8 == 0 && !payload.is_empty() => Midway::Data(payload),
                1 => head(flags, payload),
                _ => Midway::Frames,
            };
        }
    }
    let ends = rest.is_empty() && whole > 0;
    if ends || whole > 1 { found } else { Midway::Nothing }
}

/// Whose head this is: pseudo-header fields come first and are often in the static table (RFC 9113 §8.3).
fn head(flags: u8, payload: &[u8]) -> Midway<'_> {
    let padded = flags & 0x8 != 0;
    let start = if flags & 0x20 != 0 { 5_usize } else { 0 }.saturating_add(padded.into());
    let padding = if padded { payload.first().copied().unwrap_or(0) } else { 0 };
    let end = payload.len().saturating_sub(padding.into());
    let mut hpack = Hpack::new();
    hpack.forget();
    let mut found = Midway::Frames;
    // A block that goes on in CONTINUATION frames ends early here; its first fields were told.
    let _ = hpack.decode(payload.get(start..end).unwrap_or_default(), &mut |name, _| match name {
        Text::Known(b":status") => found = Midway::Response,
        Text::Known(b":method" | b":path" | b":scheme" | b":authority" | b":protocol") => {
            found = Midway::Request
        }
        _ => {}
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = (payload.len() as u32).to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    }

    #[test]
    fn frames_are_known_and_who_sent_them_where_it_shows() {
        let request = frame(1, 4, 5, &[0x82, 0xBE]);
        let response = frame(1, 4, 5, &[0x88, 0xBE]);
        let data = frame(0, 0, 5, b"hello");
        let ping = frame(6, 0, 0, &[0; 8]);
        for (segment, found) in [
            (request.clone(), Midway::Request),
            (response, Midway::Response),
            (data.clone(), Midway::Data(b"hello")),
            (ping.clone(), Midway::Frames),
            ([ping.clone(), request].concat(), Midway::Request),
            ([&ping[..], &ping, &data[..11]].concat(), Midway::Frames),
            (data[..11].to_vec(), Midway::Nothing),
            ([&data[..], b"x"].concat(), Midway::Nothing),
            (frame(6, 0, 1, &[0; 8]), Midway::Nothing),
            (frame(99, 0, 1, &[0; 8]), Midway::Nothing),
            (Vec::new(), Midway::Nothing),
        ] {
            assert_eq!(midway(&segment), found, "{segment:?}");
        }
    }

    proptest! {
        #[test]
        fn any_segment_is_looked_at_without_panic(segment in proptest::collection::vec(any::<u8>(), 0..100)) {
            midway(&segment);
            midway(&frame(1, 0x2C, 1, &segment));
        }
    }
}
