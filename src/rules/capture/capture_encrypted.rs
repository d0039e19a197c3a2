use crate::connection::Unread;
use crate::rules::rule::rule;
use crate::rules::{Blame, Check, Finding, Origin, Selection, quote};

rule! {
    /// # What it finds
    /// TLS connections that no key opens.
    ///
    /// # Why it matters
    /// Whether they carry WebSocket is not known: of the handshake, the frames and the Close nothing can be said. What is
    /// told of them rests on TCP, on the hellos, on alerts, and on when records were sent: an idle limit shows without keys.
    ///
    /// # What causes it
    /// No secrets were recorded; or those that were given are of other connections, or are not the right ones: a log that
    /// was cut, or begun after the connections were.
    ///
    /// # How to fix
    /// Let the client or the server write a key log while you capture, and give it with `--keylog`: browsers, curl, and
    /// programs on NSS write one where `SSLKEYLOGFILE` names a file; node has `--tls-keylog`, Go `KeyLogWriter`, Python
    /// `keylog_filename`. `editcap --inject-secrets` puts it into a pcapng. Or capture where there is no TLS: behind the
    /// gateway that ends it.
    ///
    /// # What it does not report
    /// Connections whose TLS handshake failed, which hold nothing to open. It is told once for all captures of a run.
    pub static RULE = "WS-CP-003" "capture-encrypted" {
        severity: Info, category: Capture, reference: "none",
        explains: [], check: Check::Run,
    }
}

/// What is said of TLS connections that were not opened, where so many secrets were given.
pub fn capture_encrypted(unread: &Unread, secrets: usize, selection: &Selection) -> Option<Finding> {
    let first = unread.first.filter(|_| selection.speaks(&RULE))?;
    let given = match secrets {
        1 => String::from("1 secret was given"),
        count => format!("{count} secrets were given"),
    };
    let reasons = [
        (unread.no_keys, String::from("no key log was given")),
        (unread.other_keys, format!("no key of that is in the key log ({given})")),
        (unread.wrong_keys, String::from("the keys in the key log do not match")),
        (unread.unsupported, unread.unsupported_reason()),
        (unread.lost, String::from("the capture lacks the hellos, or the key came too late")),
    ];
    let all = unread.unopened();
    let why: Vec<String> = reasons
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, reason)| if count == all { reason } else { format!("of {count}, {reason}") })
        .collect();
    let names: Vec<&str> = unread.names.iter().map(String::as_str).collect();
    let to = if names.is_empty() {
        String::new()
    } else {
        format!(" to {}", quote::list(&names.iter().map(|name| quote::short(name)).collect::<Vec<_>>()))
    };
    let help = if unread.no_keys + unread.other_keys > 0 {
        "let the client or the server write a key log while you capture (SSLKEYLOGFILE), and give it with --keylog"
    } else if unread.wrong_keys > 0 {
        "give the key log that was written while these connections ran, whole"
    } else {
        "capture where there is no TLS, as behind the gateway that ends it"
    };
    let mut finding = Finding::new(&RULE, first, "capture holds TLS that no key opens")
        .origin(Origin::Capture)
        .blame(Blame::Capture)
        .message(format!(
            "what {}{to} carried is not known: {}",
            if all == 1 { String::from("1 TLS connection") } else { format!("{all} TLS connections") },
            why.join("; ")
        ))
        .shows(first, "first packet of the first of them")
        .help(help);
    selection.weigh(&mut finding);
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{PacketId, Seen};
    use crate::rules::selection::Level;
    use crate::time::Timestamp;

    fn said(unread: Unread, secrets: usize) -> String {
        let first = Some(Seen { packet: PacketId::new(0, 4), at: Timestamp::default() });
        let unread = Unread { first, ..unread };
        capture_encrypted(&unread, secrets, &Selection::default()).unwrap().message
    }

    #[test]
    fn keys_that_do_not_match_are_told_from_keys_that_are_absent() {
        let names = ["a.example".to_owned()].into();
        assert_eq!(
            said(Unread { no_keys: 2, names, ..Unread::default() }, 0),
            "what 2 TLS connections to a.example carried is not known: no key log was given"
        );
        assert_eq!(
            said(Unread { other_keys: 1, wrong_keys: 2, ..Unread::default() }, 5),
            "what 3 TLS connections carried is not known: of 1, no key of that is in the key log (5 secrets were given); \
             of 2, the keys in the key log do not match"
        );
    }

    #[test]
    fn what_this_program_cannot_open_is_named() {
        let unsupported_as = ["TLS 1.1".to_owned(), "TLS_RSA_WITH_RC4_128_SHA".to_owned()].into();
        assert_eq!(
            said(Unread { unsupported: 2, unsupported_as, ..Unread::default() }, 0),
            "what 2 TLS connections carried is not known: this program cannot open TLS 1.1, TLS_RSA_WITH_RC4_128_SHA"
        );
    }

    #[test]
    fn what_was_opened_failed_or_is_not_asked_for_is_silent() {
        let none = Unread { failed: 3, ..Unread::default() };
        assert!(capture_encrypted(&none, 0, &Selection::default()).is_none());
        let first = Some(Seen { packet: PacketId::new(0, 4), at: Timestamp::default() });
        let unread = Unread { no_keys: 1, first, ..Unread::default() };
        let off = Selection::default().level(&[&RULE], Level::Off);
        assert!(capture_encrypted(&unread, 0, &off).is_none());
    }
}
