//! Any bytes as the two directions of TLS, with any bytes as a key log: no panic, and what is kept is given back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wsanalyze::capture::{PacketId, Seen};
use wsanalyze::net::Side;
use wsanalyze::time::Timestamp;
use wsanalyze::tls::{KeyLog, Keyring, Session};

fuzz_target!(|data: &[u8]| {
    let [log_len, grows, data @ ..] = data else { return };
    let (log, records) = data.split_at((usize::from(*log_len) * 16).min(data.len()));
    let mut keys = KeyLog::default();
    keys.read(log);
    let mut known = keys.clone();
    let mut keys = Keyring::new(keys, grows & 1 == 1);
    let (mut session, mut opened) = (Session::new(), 0usize);
    let mut number = 0;
    let mut rest = records;
    // Pieces: a byte of direction and kind, two of length, the bytes.
    while let [what, high, low, tail @ ..] = rest {
        let from = if what & 1 == 0 { Side::Low } else { Side::High };
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let (piece, after) = tail.split_at(len.min(tail.len()));
        number += 1;
        let seen = Seen { packet: PacketId::new(0, number), at: Timestamp::from_nanos(number as i64) };
        match what >> 1 & 7 {
            6 => session.gap(from, len as u64),
            7 => {
                known.read(piece);
                keys.renew(&known);
            }
            _ => session.data(from, piece, seen, &mut keys, &mut |_, _| opened += 1),
        }
        rest = if what >> 1 & 7 == 6 { tail } else { after };
    }
    keys.seal();
    let seen = Seen { packet: PacketId::new(0, number + 1), at: Timestamp::from_nanos(number as i64) };
    session.finish(seen, &mut keys, &mut |_, _| opened += 1);
    let _ = session.facts(Side::Low, &keys);
    session.forget(&mut keys);
});
