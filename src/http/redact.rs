//! What a report must not repeat: credentials in targets and fields.

use super::head::is_token;

/// A request target without its secrets: the values of query parameters and the userinfo are replaced by `…`. Names of
/// parameters, a parameter without `=`, an empty value and the fragment stay as they are.
pub fn redacted_target(target: &str) -> String {
    let (before, fragment) = target.split_at(target.find('#').unwrap_or(target.len()));
    let (place, query) = before.split_at(before.find('?').unwrap_or(before.len()));
    let mut shown = String::with_capacity(target.len());
    push_place(&mut shown, place);
    for parameter in query.split_inclusive(['&', ';']) {
        push_parameter(&mut shown, parameter);
    }
    shown.push_str(fragment);
    shown
}

/// A list of subprotocols (`Sec-WebSocket-Protocol`) as written, but without the credentials that its elements may be: a page
/// can hand one to its server in this field and in no other. Of an element that is as long as they are, or has as many
/// digits, the beginning is left, and of one that leaves the grammar nothing.
pub fn redacted_subprotocols(list: &str) -> String {
    let mut shown = String::with_capacity(list.len());
    for element in list.split_inclusive([',', ' ', '\t']) {
        let name = element.trim_end_matches([',', ' ', '\t']);
        match left_of_credential(name) {
            Some(beginning) => {
                shown.push_str(beginning);
                shown.push(HIDDEN);
            }
            None => shown.push_str(name),
        }
        shown.push_str(&element[name.len()..]);
    }
    shown
}

/// What is left of a subprotocol that may be a credential. What is no token is no name either, and nothing of it is left.
fn left_of_credential(subprotocol: &str) -> Option<&str> {
    if subprotocol.is_empty() || subprotocol.ends_with(HIDDEN) {
        return None;
    }
    if !is_token(subprotocol.as_bytes()) {
        return Some("");
    }
    let digits = || subprotocol.bytes().filter(u8::is_ascii_digit).count();
    let is_long = subprotocol.len() >= LONG_NAME || (subprotocol.len() >= NAME && digits() >= DIGITS);
    subprotocol.get(..BEGINNING).filter(|_| is_long)
}

/// Bytes from which a name is no name, whatever its letters: registered ones have 33 at most.
const LONG_NAME: usize = 41;

/// Bytes from which a name with so many digits is no name: a key in hexadecimal or a UUID.
const NAME: usize = 20;
const DIGITS: usize = 4;

/// Bytes of it that tell which it was.
const BEGINNING: usize = 8;

/// Whether the value of a field of this name (case-insensitive) is a credential.
pub fn is_secret_field(name: &[u8]) -> bool {
    const SECRET: [&[u8]; 4] = [b"Cookie", b"Set-Cookie", b"Authorization", b"Proxy-Authorization"];
    SECRET.iter().any(|secret| secret.eq_ignore_ascii_case(name))
}

/// Scheme, authority and path, where the authority may carry userinfo (RFC 3986 §3.2.1). In authority-form there is no
/// scheme, and a path alone has no authority.
fn push_place(shown: &mut String, place: &str) {
    let (scheme, rest) = match place.find("://") {
        Some(at) if !place.starts_with('/') => place.split_at(at.saturating_add(3)),
        _ => ("", place),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    shown.push_str(scheme);
    match authority.rsplit_once('@') {
        Some((_, host)) => {
            shown.push(HIDDEN);
            shown.push('@');
            shown.push_str(host);
        }
        None => shown.push_str(authority),
    }
    shown.push_str(path);
}

/// One parameter with the separator after it.
fn push_parameter(shown: &mut String, parameter: &str) {
    let separator = parameter.len().saturating_sub(usize::from(parameter.ends_with(['&', ';'])));
    let (parameter, separator) = parameter.split_at(separator);
    match parameter.split_once('=') {
        Some((name, value)) => {
            shown.push_str(name);
            shown.push('=');
            if !value.is_empty() {
                shown.push(HIDDEN);
            }
        }
        None => shown.push_str(parameter),
    }
    shown.push_str(separator);
}

const HIDDEN: char = '…';

/// A request target without its query and fragment (RFC 3986 §3.4, §3.5).
pub fn without_query(target: &str) -> &str {
    target.split(['?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_are_hidden_and_names_are_kept() {
        for (target, shown) in [
            ("/ws", "/ws"),
            ("/ws?token=s3cret&room=7", "/ws?token=…&room=…"),
            ("/ws?a=1;b=2", "/ws?a=…;b=…"),
            ("/ws?a=b=c", "/ws?a=…"),
            ("/ws?flag&token=", "/ws?flag&token="),
            ("/ws?", "/ws?"),
            ("/ws?&=x&", "/ws?&=…&"),
            ("/ws?a=/b?c=d", "/ws?a=…"),
            ("/ws?a=é#part=1?x=y", "/ws?a=…#part=1?x=y"),
            ("/a@b?c=d@e", "/a@b?c=…"),
            ("*", "*"),
            ("", ""),
        ] {
            assert_eq!(redacted_target(target), shown);
        }
    }

    #[test]
    fn userinfo_is_hidden_in_absolute_and_authority_form() {
        for (target, shown) in [
            ("ws://me:pass@host:80/ws?a=1", "ws://…@host:80/ws?a=…"),
            ("http://me:p@ss@host", "http://…@host"),
            ("http://host/@x", "http://host/@x"),
            ("http://me@host?a=1", "http://…@host?a=…"),
            ("me:pass@host:443", "…@host:443"),
            ("host:443", "host:443"),
            ("/path/http://me@host/", "/path/http://me@host/"),
        ] {
            assert_eq!(redacted_target(target), shown);
        }
    }

    #[test]
    fn fields_with_credentials_are_known_in_any_case() {
        for name in ["Cookie", "set-cookie", "AUTHORIZATION", "Proxy-Authorization"] {
            assert!(is_secret_field(name.as_bytes()), "{name}");
        }
        for name in ["", "Cookies", "Host", "Sec-WebSocket-Key", "WWW-Authenticate"] {
            assert!(!is_secret_field(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn a_token_among_subprotocols_is_hidden_and_names_are_kept() {
        for (value, shown) in [
            ("chat, graphql-transport-ws,v5.channel.k8s.io", "chat, graphql-transport-ws,v5.channel.k8s.io"),
            ("com.microsoft.minecraft.wsencrypt", "com.microsoft.minecraft.wsencrypt"),
            ("realtime, openai-insecure-api-key.sk-proj-abcdefghijklmnop", "realtime, openai-i…"),
            ("access_token, eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln ", "access_token, eyJhbGci… "),
            ("7d9f3f6e-2f4b-4f57-9d58-2b1f0a9c7d11,x", "7d9f3f6e…,x"),
            ("bearer abcdefghij0123456789", "bearer abcdefgh…"),
            ("ocpp2.0.1, ocpp1.6", "ocpp2.0.1, ocpp1.6"),
            ("v1, c2VjcmV0/=", "v1, …"),
            ("", ""),
        ] {
            assert_eq!(redacted_subprotocols(value), shown);
        }
    }

    proptest! {
        #[test]
        fn redacted_subprotocols_stay_as_they_are(value in ".{0,60}") {
            let once = redacted_subprotocols(&value);
            prop_assert_eq!(redacted_subprotocols(&once), once);
        }

        #[test]
        fn a_redacted_target_stays_as_it_is(target in ".{0,40}") {
            let once = redacted_target(&target);
            prop_assert_eq!(redacted_target(&once), once);
        }

        #[test]
        fn no_value_survives(names in proptest::collection::vec("[a-z]{1,5}", 1..5), absolute in any::<bool>()) {
            let query: Vec<String> = names.iter().map(|name| format!("{name}=S3CRET")).collect();
            let place = if absolute { "wss://S3CRET:S3CRET@host/ws" } else { "/ws" };
            let shown = redacted_target(&format!("{place}?{}", query.join("&")));
            prop_assert!(!shown.contains("S3CRET"));
            prop_assert!(names.iter().all(|name| shown.contains(name.as_str())));
        }
    }

    #[test]
    fn a_target_ends_where_its_query_or_fragment_begins() {
        for (target, path) in
            [("/chat?a=b#c", "/chat"), ("/chat#x?y", "/chat"), ("/chat", "/chat"), ("?", "")]
        {
            assert_eq!(without_query(target), path);
        }
    }
}
