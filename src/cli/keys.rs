//! Key logs, from the command line and the environment.

use super::complain;
use super::config::Input;
use crate::tls::KeyLog;

/// What all key logs hold.
///
/// # Errors
/// Why one that was named cannot be read, or that it is no key log.
pub(super) fn keys(input: &Input) -> Result<KeyLog, String> {
    let mut keys = KeyLog::default();
    for path in &input.key_logs {
        let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        // A browser that has not spoken TLS yet leaves an empty file.
        if keys.read(&text) == 0 && !text.is_empty() {
            complain(&format!(
                "{}: no TLS secrets in it, expected lines such as CLIENT_RANDOM",
                path.display()
            ));
        }
    }
    // Others write this file; whether it is there is not for us to judge.
    if let Some(text) = input.environment_key_log.as_ref().and_then(|path| std::fs::read(path).ok()) {
        keys.read(&text);
    }
    Ok(keys)
}
