//! Key logs, from the command line and the environment.

use super::complain;
use super::config::Input;
use crate::tls::KeyLog;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// What all key logs hold.
///
/// # Errors
/// Why one that was named cannot be read, or that it is no key log.
pub(super) fn keys(input: &Input) -> Result<KeyLog, String> {
    let mut keys = KeyLog::default();
    for path in &input.key_logs {
        let held = read(path, &mut keys).map_err(|error| format!("{}: {error}", path.display()))?;
        // A browser that has not spoken TLS yet leaves an empty file.
        if held == Some(0) {
            complain(&format!(
                "{}: no TLS secrets in it, expected lines such as CLIENT_RANDOM",
                path.display()
            ));
        }
    }
    // Others write this file; whether it is there is not for us to judge.
    if let Some(path) = &input.environment_key_log {
        let _ = read(path, &mut keys);
    }
    Ok(keys)
}

/// Adds what a file holds, some of its lines at a time, for it may be long; tells how many hold a secret, and nothing where
/// there are none.
fn read(path: &Path, keys: &mut KeyLog) -> io::Result<Option<usize>> {
    let (mut file, mut text, mut held) = (File::open(path)?, Vec::new(), None);
    loop {
        let count = file.by_ref().take(PIECE).read_to_end(&mut text)?;
        // The last line may go on in the next piece; one without an end is no line of a key log.
        let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
        let last = text.iter().rposition(is_end).filter(|_| count > 0).unwrap_or(text.len());
        if !text.is_empty() {
            held = Some(held.unwrap_or(0) + keys.read(&text[..last]));
        }
        text.drain(..last);
        if count == 0 {
            return Ok(held);
        }
    }
}

/// Bytes of such a file that are read at a time.
const PIECE: u64 = 1 << 20;
