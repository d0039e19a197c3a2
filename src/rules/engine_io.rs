//! Sessions of engine.io, which carries Socket.IO: the request tells it, and which version of its protocol is spoken.

use crate::connection::Connection;

/// The version of the protocol that the client asks for, as in `/socket.io/?EIO=4&transport=websocket`: 4 since Socket.IO 3.
pub(super) fn version(connection: &Connection) -> Option<&str> {
    let (_, query) = connection.request.as_ref()?.head.target.split_once('?')?;
    query.split('&').find_map(|pair| pair.strip_prefix("EIO="))
}

#[cfg(test)]
mod tests {
    use super::version;
    use crate::rules::testing::{REQUEST, Scene};

    #[test]
    fn the_version_is_read_from_the_query() {
        let asked = |target: &str| {
            let request = REQUEST.replace("/chat?token=s3cret", target);
            version(&Scene::tcp().request(&request).build()).map(String::from)
        };
        assert_eq!(asked("/socket.io/?transport=websocket&EIO=4").as_deref(), Some("4"));
        assert_eq!(asked("/socket.io/?EIO=3&sid=x").as_deref(), Some("3"));
        assert_eq!(asked("/EIO=4"), None);
        assert_eq!(asked("/chat?VEIO=4"), None);
    }
}
