//! Any bytes as the header fields of a handshake, one a line: no panic, and what is kept is bounded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wsanalyze::websocket::{Extensions, Subprotocols, accept_is_valid, check_key};
use wsanalyze::limits;

fuzz_target!(|data: &[u8]| {
    let lines = || data.split(|&byte| byte == b'\n');
    let extensions = Extensions::parse(lines());
    assert!(extensions.list.len() <= limits::LIST_ELEMENTS);
    for extension in &extensions.list {
        assert!(!extension.name.is_empty() && extension.params.len() <= limits::EXTENSION_PARAMS);
        assert!(extensions.get(&extension.name.to_ascii_uppercase()).is_some());
    }
    assert!(extensions.missing_from(&extensions).is_empty());
    let _ = extensions.missing_from(&Extensions::default());
    assert!(Subprotocols::parse(lines()).list.len() <= limits::LIST_ELEMENTS);
    let mut lines = lines();
    if let (Some(key), Some(accept)) = (lines.next(), lines.next()) {
        let _ = (check_key(key), accept_is_valid(key, accept));
    }
});
