//! What one connection or all of them may keep, and how often keys are tried: each bound, gone well past.

use super::testing::*;
use super::tests::*;
use super::*;
use crate::limits;

/// Bytes that wait for a key in all connections: what others cannot have.
fn waiting(keys: &mut Keyring) -> usize {
    let room = limits::TLS_WAITING_TOTAL / limits::SHARDS;
    let (mut free, mut step) = (0, room);
    while step > 0 {
        if keys.reserve(step) {
            free += step;
        } else {
            step /= 2;
        }
    }
    keys.release(free);
    room - free
}

#[test]
fn what_waits_for_a_key_is_bounded() {
    let mut play = Play::new(keys("", true));
    play.data(C, &client_hello(false));
    play.data(S, &server_hello([2; 32]));
    let (record, mut most) = (Sealer::new(0x52).seal(23, &[0; 900]), 0);
    for _ in 0..4 * limits::TLS_WAITING / record.len() {
        play.data(S, &record);
        most = most.max(waiting(&mut play.keys));
    }
    assert!((limits::TLS_WAITING - 2000..=limits::TLS_WAITING).contains(&most), "{most} bytes waited");
    assert_eq!(play.finish().opened, Opened::NoKeys);
    assert_eq!(play.heard, Heard::default());
    assert_eq!(waiting(&mut play.keys), 0, "all room was given back");
}

#[test]
fn what_waits_for_keys_in_all_connections_is_bounded() {
    let room = limits::TLS_WAITING_TOTAL / limits::SHARDS;
    let mut keys = keys("", true);
    let flight = [server_hello([2; 32]), Sealer::new(0x52).seal(23, &[0; 16_000])].concat();
    let mut waiting = Vec::new();
    for _ in 0..4 * room / 16_000 {
        let mut play = Play::new(std::mem::take(&mut keys));
        play.data(C, &client_hello(false));
        play.data(S, &flight);
        keys = std::mem::take(&mut play.keys);
        waiting.push(play.session);
    }
    let most = room / 16_000;
    let count = waiting.iter().filter(|session| session.is_waiting()).count();
    assert!((most * 9 / 10..=most).contains(&count), "{count} connections wait");
    waiting.iter_mut().for_each(|session| session.forget(&mut keys));
    assert_eq!(self::waiting(&mut keys), 0);
}

#[test]
fn a_handshake_message_is_kept_up_to_its_bound_and_a_longer_one_is_passed_over() {
    for (len, kept) in [(limits::TLS_MESSAGE, true), (limits::TLS_MESSAGE + 1, false), (1 << 24, false)] {
        let mut play = Play::new(Keyring::default());
        let certificate = message(11, &vec![7; len - 4 - usize::from(len == 1 << 24)]);
        let mut most = 0;
        for piece in certificate.chunks(10_000) {
            play.data(C, &record(22, piece));
            most = most.max(play.session.buffered());
        }
        assert_eq!(most > 4, kept, "{most} of {len} bytes were kept");
        assert!(most <= limits::TLS_MESSAGE);
        // The next one is found behind it.
        play.data(C, &client_hello(false));
        assert_eq!(play.finish().server_name.as_deref(), Some("ws.example"));
    }
}

#[test]
fn alerts_are_kept_up_to_their_bound() {
    let mut play = Play::new(Keyring::default());
    play.data(C, &client_hello(false));
    (0..4 * limits::TLS_ALERTS).for_each(|_| play.data(S, &record(21, &[1, 90])));
    assert_eq!(play.finish().alerts.len(), limits::TLS_ALERTS);
}

#[test]
fn a_ticket_names_a_session_up_to_its_bound() {
    let mut keys = keys(&key_log(|_| true), false);
    for (len, known) in [(limits::TLS_TICKET, true), (limits::TLS_TICKET + 1, false)] {
        let name = vec![7; len];
        keys.remember(&name, &[1; 48]);
        assert_eq!(keys.session(&name).is_some(), known, "{len} bytes");
    }
}

#[test]
fn a_record_after_lost_ones_is_tried_with_so_many_numbers() {
    let short = |c: &mut Sealer| c.seal(23, b"x");
    for (lost, found) in [(limits::TLS_SEQUENCES, true), (limits::TLS_SEQUENCES + 10, false)] {
        let (mut play, mut c) = (greeted(), Sealer::new(0xC2));
        play.data(C, &c.seal(23, b"before"));
        let gap: usize = (0..lost).map(|_| short(&mut c).len()).sum();
        play.session.gap(C, gap as u64);
        play.data(C, &c.seal(23, b"after"));
        assert_eq!(play.heard.bytes[0].ends_with(b"after"), found, "{lost} lost records");
    }
}

#[test]
fn records_are_tried_in_vain_so_often_and_no_longer() {
    // Each is tried with the next number, and with all that it may have after a KeyUpdate among the lost ones.
    let cost = |nth: u32| if nth == 1 { 1 } else { 1 + nth };
    let most = (1..).scan(0, |tries, nth| Some(std::mem::replace(tries, *tries + cost(nth))));
    let most = most.take_while(|&tries| tries < limits::TLS_TRIES).count() - 1;
    for (vain, found) in [(most, true), (most + 1, false)] {
        let (mut play, mut c) = (greeted(), Sealer::new(0xC2));
        play.data(C, &c.seal(23, b"before"));
        for _ in 0..vain {
            let len = c.seal(23, b"damaged").len();
            play.data(C, &record(23, &vec![0; len - 5]));
        }
        play.data(C, &c.seal(23, b"after"));
        assert_eq!(play.heard.bytes[0].ends_with(b"after"), found, "after {vain} records");
    }
}
