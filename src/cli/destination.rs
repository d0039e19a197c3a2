//! Where a report goes: standard output, or a file that comes into being whole.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Takes the bytes of one report. Dropped before [`Destination::finish`], it leaves no file behind, and a file that was
/// there as it was.
#[derive(Debug)]
pub(super) struct Destination {
    /// For complaints.
    name: String,
    out: BufWriter<Sink>,
}

#[derive(Debug)]
enum Sink {
    Standard(io::Stdout),
    /// Through a translation of colours for consoles that need one.
    Colored(anstream::AutoStream<io::Stdout>),
    /// Beside its target, until it is whole.
    Whole {
        file: NamedTempFile,
        target: PathBuf,
    },
    /// A pipe or a device, which nothing can take the place of.
    Special(File),
}

impl Destination {
    /// Standard output, on which a coloured page may be written.
    pub(super) fn standard(color: bool) -> Destination {
        let stdout = io::stdout();
        Destination::new(
            String::from("standard output"),
            if color { Sink::Colored(anstream::AutoStream::always(stdout)) } else { Sink::Standard(stdout) },
        )
    }

    /// A file. That it cannot be written is told now, before anything else is done.
    ///
    /// # Errors
    /// Why there can be no such file, with its name.
    pub(super) fn file(path: &Path) -> Result<Destination, String> {
        let name = path.display().to_string();
        let sink = Sink::file(path).map_err(|error| format!("{name}: {error}"))?;
        Ok(Destination::new(name, sink))
    }

    fn new(name: String, sink: Sink) -> Destination {
        Destination { name, out: BufWriter::with_capacity(64 << 10, sink) }
    }

    /// The file that [`Destination::finish`] puts in its place, by its real name.
    pub(super) fn target(&self) -> Option<&Path> {
        match self.out.get_ref() {
            Sink::Whole { target, .. } => Some(target),
            _ => None,
        }
    }

    /// Hands over what was written, after which the file is there. A reader of standard output that stopped reading, as
    /// `head` does, has what it wanted: no error.
    ///
    /// # Errors
    /// Why not all was written, with the name of the place.
    pub(super) fn finish(self, written: io::Result<()>) -> Result<(), String> {
        let Destination { name, mut out } = self;
        let standard = matches!(out.get_ref(), Sink::Standard(_) | Sink::Colored(_));
        let finished = written.and_then(|()| out.flush()).and_then(|()| {
            let sink = out.into_inner().map_err(io::IntoInnerError::into_error)?;
            sink.finish()
        });
        match finished {
            Err(error) if standard && error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other.map_err(|error| format!("{name}: {error}")),
        }
    }
}

impl Write for Destination {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    // Formats write a few bytes at a time, for which this is made; without it each of them goes through a loop.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    /// Nobody reads a file before it is whole.
    fn flush(&mut self) -> io::Result<()> {
        match self.out.get_ref() {
            Sink::Whole { .. } => Ok(()),
            _ => self.out.flush(),
        }
    }
}

impl Sink {
    fn file(path: &Path) -> io::Result<Sink> {
        let there = fs::metadata(path).ok();
        match &there {
            Some(there) if there.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Some(there) if !there.is_file() => {
                return File::options().write(true).open(path).map(Sink::Special);
            }
            // What may not be written may not be replaced either.
            Some(_) => drop(File::options().write(true).open(path)?),
            None => {}
        }
        let target = real(path)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(".wsanalyze-");
        if let Some(permissions) = there.map(|there| there.permissions()).or_else(ordinary) {
            builder.permissions(permissions);
        }
        let file = builder.tempfile_in(target.parent().unwrap_or(Path::new(".")))?;
        Ok(Sink::Whole { file, target })
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Sink::Whole { file, target } => file.persist(target).map(drop).map_err(|failed| failed.error),
            Sink::Standard(_) | Sink::Colored(_) | Sink::Special(_) => Ok(()),
        }
    }
}

/// What the system lets others do with an ordinary new file: a temporary one is for its owner alone.
fn ordinary() -> Option<fs::Permissions> {
    #[cfg(unix)]
    return Some(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    #[cfg(not(unix))]
    None
}

/// The name of a file, whether it is there or not, without links: equal for equal files.
///
/// # Errors
/// There is no such folder.
pub(super) fn real(path: &Path) -> io::Result<PathBuf> {
    if let Ok(real) = path.canonicalize() {
        return Ok(real);
    }
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(folder.canonicalize()?.join(name))
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Sink::Standard(out) => out.write(bytes),
            Sink::Colored(out) => out.write(bytes),
            Sink::Whole { file, .. } => file.write(bytes),
            Sink::Special(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Sink::Standard(out) => out.flush(),
            Sink::Colored(out) => out.flush(),
            Sink::Whole { file, .. } => file.flush(),
            Sink::Special(file) => file.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn a_file_is_there_when_it_is_whole_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        let mut given_up = Destination::file(&path).unwrap();
        given_up.write_all(b"half").unwrap();
        drop(given_up);
        assert_eq!(files(folder.path()), 0);
        fs::write(&path, "old").unwrap();
        let mut failed = Destination::file(&path).unwrap();
        failed.write_all(b"half").unwrap();
        let reason = failed.finish(Err(io::ErrorKind::StorageFull.into())).unwrap_err();
        assert!(reason.starts_with(&path.display().to_string()), "{reason}");
        let mut out = Destination::file(&path).unwrap();
        out.write_all(b"new").unwrap();
        out.flush().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        out.finish(Ok(())).unwrap();
        assert_eq!((fs::read(&path).unwrap().as_slice(), files(folder.path())), (b"new".as_slice(), 1));
    }

    #[test]
    fn what_cannot_be_written_is_told_at_once() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().to_owned(), folder.path().join("none/report.json")] {
            let reason = Destination::file(&path).unwrap_err();
            assert!(reason.starts_with(&format!("{}: ", path.display())), "{reason}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_and_permissions_stay_and_devices_are_written_to() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (link, path) = (folder.path().join("link"), folder.path().join("report.json"));
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&path, &link).unwrap();
        let mut out = Destination::file(&link).unwrap();
        assert_eq!(out.target(), Some(real(&path).unwrap().as_path()));
        out.write_all(b"new").unwrap();
        out.finish(Ok(())).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let null = Destination::file(Path::new("/dev/null")).unwrap();
        assert_eq!(null.target(), None);
        null.finish(Ok(())).unwrap();
    }
}
