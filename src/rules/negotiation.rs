//! Whether the extensions of an answer are a possible answer to the offer (RFC 6455 §9.1, RFC 7692 §7.1).

use crate::websocket::{Extension, Extensions, Param, Window};

/// The extension of RFC 7692.
pub(super) const DEFLATE: &str = "permessage-deflate";

/// Names offered and not accepted, each once, as written in the offer.
pub(super) fn missing<'a>(offer: &'a Extensions, answer: &Extensions) -> Vec<&'a str> {
    names_without(offer, |name| answer.list.iter().any(|accepted| accepted.name == name))
}

/// Names accepted and not offered, each once, as written in the answer.
pub(super) fn unasked<'a>(offer: &Extensions, answer: &'a Extensions) -> Vec<&'a str> {
    names_without(answer, |name| offer.list.iter().any(|offered| offered.name == name))
}

/// Whether an extension of the answer gives RSV1 a meaning.
pub(super) fn defines_rsv1(answer: &Extensions) -> bool {
    answer.list.iter().any(|extension| {
        let name = extension.name.to_ascii_lowercase();
        name.contains("deflate") || name.starts_with("permessage-")
    })
}

/// What a conforming client must refuse in an answer's permessage-deflate; empty where it can be accepted.
///
/// An offer may name the extension several times as a list to choose from (RFC 7692 §5): the answer is possible where
/// it answers any one of them.
pub(super) fn deflate_faults(offer: &Extensions, answer: &Extensions) -> Vec<String> {
    let accepted: Vec<&Extension> = deflates(answer).collect();
    let Some(first) = accepted.first() else { return Vec::new() };
    let mut faults = Vec::new();
    if accepted.len() > 1 {
        faults.push(format!("{DEFLATE} is there {} times", accepted.len()));
    }
    faults.extend(parameter_faults(first, true));
    // An answer to no offer at all is another rule's matter.
    let best = deflates(offer).map(|offered| mismatches(offered, first)).min_by_key(Vec::len);
    faults.extend(best.unwrap_or_default());
    faults
}

/// What makes an offered permessage-deflate element one that a server must decline (RFC 7692 §7.1).
pub(super) fn offer_faults(element: &Extension) -> Vec<String> {
    if element.name == DEFLATE { parameter_faults(element, false) } else { Vec::new() }
}

fn names_without(list: &Extensions, other_has: impl Fn(&str) -> bool) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for extension in &list.list {
        if !other_has(&extension.name) && !names.contains(&extension.name.as_str()) {
            names.push(&extension.name);
        }
    }
    names
}

fn deflates(list: &Extensions) -> impl Iterator<Item = &Extension> {
    list.list.iter().filter(|extension| extension.name == DEFLATE)
}

fn parameter<'a>(extension: &'a Extension, name: &str) -> Option<&'a Param> {
    extension.params.iter().find(|param| param.name == name)
}

/// Faults of the parameters by themselves.
fn parameter_faults(extension: &Extension, is_answer: bool) -> Vec<String> {
    let mut faults = Vec::new();
    for (index, param) in extension.params.iter().enumerate() {
        let name = param.name.as_str();
        if extension.params.iter().take(index).any(|earlier| earlier.name == name) {
            faults.push(format!("{name} is there twice"));
            continue;
        }
        match name {
            "server_no_context_takeover" | "client_no_context_takeover" => {
                if let Some(value) = &param.value {
                    faults.push(format!("{name} takes no value and has {value}"));
                }
            }
            "server_max_window_bits" | "client_max_window_bits" => match &param.value {
                Some(value) if Window::parse(value).is_none() => {
                    faults.push(format!("{name}={value}, expected 8 to 15"));
                }
                None if is_answer || name == "server_max_window_bits" => {
                    faults.push(format!("{name} has no value, expected 8 to 15"));
                }
                _ => {}
            },
            _ => faults.push(format!("{name} is no parameter of {DEFLATE}")),
        }
    }
    faults
}

/// Where the answer does not fit this element of the offer (RFC 7692 §7.1.1, §7.1.2).
fn mismatches(offered: &Extension, accepted: &Extension) -> Vec<String> {
    let mut faults = Vec::new();
    let bits = |extension, name| {
        parameter(extension, name)
            .map(|param| param.value.as_deref().and_then(Window::parse).map(Window::bits))
    };
    if parameter(offered, "server_no_context_takeover").is_some()
        && parameter(accepted, "server_no_context_takeover").is_none()
    {
        faults.push(String::from("server_no_context_takeover was demanded and is not confirmed"));
    }
    match (bits(offered, "server_max_window_bits"), bits(accepted, "server_max_window_bits")) {
        (Some(_), None) => {
            faults.push(String::from("server_max_window_bits was demanded and is not confirmed"));
        }
        (Some(Some(most)), Some(Some(given))) if given > most => {
            faults.push(format!("server_max_window_bits={given}, at most {most} was demanded"));
        }
        _ => {}
    }
    match (bits(offered, "client_max_window_bits"), bits(accepted, "client_max_window_bits")) {
        (None, Some(_)) => {
            faults.push(String::from("client_max_window_bits is in the answer and was not offered"));
        }
        (Some(Some(most)), Some(Some(given))) if given > most => {
            faults.push(format!("client_max_window_bits={given}, at most {most} was offered"));
        }
        _ => {}
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::super::testing::extensions;
    use super::*;

    fn faults(offer: &str, answer: &str) -> Vec<String> {
        deflate_faults(&extensions(offer), &extensions(answer))
    }

    #[test]
    fn possible_answers_have_no_fault() {
        for (offer, answer) in [
            ("permessage-deflate", "permessage-deflate"),
            (
                "permessage-deflate",
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            ),
            ("permessage-deflate", "permessage-deflate; server_max_window_bits=10"),
            ("permessage-deflate; client_max_window_bits", "permessage-deflate; client_max_window_bits=9"),
            ("permessage-deflate; client_max_window_bits=10", "permessage-deflate"),
            ("permessage-deflate; client_no_context_takeover", "permessage-deflate"),
            ("permessage-deflate; server_max_window_bits=8, permessage-deflate", "permessage-deflate"),
            ("permessage-deflate", ""),
        ] {
            assert_eq!(faults(offer, answer), [""; 0], "{offer} -> {answer}");
        }
    }

    #[test]
    fn impossible_answers_name_the_parameter() {
        for (offer, answer, says) in [
            ("permessage-deflate", "permessage-deflate; client_max_window_bits=15", "was not offered"),
            ("permessage-deflate; server_max_window_bits=10", "permessage-deflate", "not confirmed"),
            (
                "permessage-deflate; server_max_window_bits=10",
                "permessage-deflate; server_max_window_bits=12",
                "at most 10",
            ),
            ("permessage-deflate; server_no_context_takeover", "permessage-deflate", "not confirmed"),
            ("permessage-deflate", "permessage-deflate; server_max_window_bits=16", "expected 8 to 15"),
            ("permessage-deflate", "permessage-deflate; server_max_window_bits=08", "expected 8 to 15"),
            ("permessage-deflate", "permessage-deflate; server_max_window_bits", "no value"),
            ("permessage-deflate", "permessage-deflate; mystery", "no parameter"),
            ("permessage-deflate", "permessage-deflate, permessage-deflate", "2 times"),
            ("permessage-deflate", "permessage-deflate; server_no_context_takeover=1", "takes no value"),
        ] {
            let faults = faults(offer, answer);
            assert!(faults.iter().any(|fault| fault.contains(says)), "{offer} -> {answer}: {faults:?}");
        }
    }

    #[test]
    fn names_are_compared_each_once() {
        let (offer, answer) = (extensions("a, b, a, c"), extensions("c, d"));
        assert_eq!(missing(&offer, &answer), ["a", "b"]);
        assert_eq!(unasked(&offer, &answer), ["d"]);
    }
}
