//! What a report must not repeat: credentials in targets and fields.

const HIDDEN: char = '…';

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
