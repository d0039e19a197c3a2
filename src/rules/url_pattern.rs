//! Patterns for host and path, by which a setting of the configuration concerns some connections only.

use crate::connection::Connection;
use crate::http::without_query;

/// A pattern for host and path, in which `*` stands for any text.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct UrlPattern {
    /// In lower case; empty for any.
    host: String,
    /// From its slash on; empty for any.
    path: String,
}

impl UrlPattern {
    /// From a pattern for each; `None` and an empty one stand for any.
    pub fn new(host: Option<&str>, path: Option<&str>) -> UrlPattern {
        UrlPattern {
            host: host.unwrap_or_default().to_ascii_lowercase(),
            path: path.unwrap_or_default().to_owned(),
        }
    }

    /// A host (`api.example.org`), a path (`/chat*`) or both in one; the port may be left out.
    pub fn parse(text: &str) -> UrlPattern {
        let (host, path) = text.split_at(text.find('/').unwrap_or(text.len()));
        UrlPattern::new(Some(host), Some(path))
    }

    /// Whether it is everywhere.
    pub fn is_anywhere(&self) -> bool {
        self.host.is_empty() && self.path.is_empty()
    }

    /// Whether a connection goes there. Where its request was not captured, its host and path are not known.
    pub fn holds(&self, connection: &Connection) -> bool {
        let Some(request) = &connection.request else { return self.is_anywhere() };
        // A target may be a whole URI (RFC 6455 §4.1, item 3).
        let target = request.head.target.as_str();
        let (authority, path) = match target.split_once("://") {
            Some((_, rest)) => {
                let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
                (Some(authority.into()), path)
            }
            None => (None, target),
        };
        let path = Some(without_query(path)).filter(|path| !path.is_empty()).unwrap_or("/");
        let host = request.head.head.text("Host").or(authority);
        let host =
            host.map_or_else(|| connection.tcp.server.to_string(), |host| host.as_str().to_ascii_lowercase());
        let name = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name);
        let any = |pattern: &str, text: &str| pattern.is_empty() || matches(pattern, text);
        (any(&self.host, &host) || any(&self.host, name)) && any(&self.path, path)
    }
}

/// As it was written: `example.org/chat*`; `*` for everywhere.
impl std::fmt::Display for UrlPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_anywhere() { f.write_str("*") } else { write!(f, "{}{}", self.host, self.path) }
    }
}

/// Whether `text` is the pattern, where `*` stands for any text. Takes at most their product in steps.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut read) = (0, 0);
    // After the last star: where the pattern goes on, and how much of the text the star has taken.
    let mut star: Option<(usize, usize)> = None;
    while read < text.len() {
        match (pattern.get(at), star) {
            (Some(b'*'), _) => {
                at += 1;
                star = Some((at, read));
            }
            (Some(byte), _) if *byte == text[read] => {
                at += 1;
                read += 1;
            }
            (_, Some((after, taken))) => {
                at = after;
                read = taken + 1;
                star = Some((after, read));
            }
            (_, None) => return false,
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text) in [("*", ""), ("a*c", "abbc"), ("a*b*c", "a-b-b-c"), ("*a*", "xax"), ("", "")] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a", ""), ("a*c", "ab"), ("a*b*c", "acb"), ("", "a"), ("ab", "a")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
        assert!(!matches(&"*a".repeat(20), &"b".repeat(20_000)));
    }
}
