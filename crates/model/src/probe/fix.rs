//! What to change, in which server: known servers by what they call themselves.

use super::judge::Question;

/// A server, by its name in the field `Server`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Maker {
    /// nginx, and what is built on it.
    Nginx,
    /// Apache httpd.
    Apache,
    /// `HAProxy`.
    HaProxy,
    /// Envoy.
    Envoy,
    /// Python's `http.server` and what is built on it.
    Python,
    /// Node.js: its frameworks say so, it does not itself.
    Node,
    /// None that says so: also hyper, axum, Go and Node.js say nothing of themselves.
    Unknown,
}

impl Maker {
    /// Which one calls itself so.
    pub fn of(server: Option<&str>) -> Self {
        let name = server.unwrap_or_default().to_ascii_lowercase();
        let known = [
            ("nginx", Self::Nginx),
            ("openresty", Self::Nginx),
            ("apache", Self::Apache),
            ("haproxy", Self::HaProxy),
            ("envoy", Self::Envoy),
            ("simplehttp", Self::Python),
            ("basehttp", Self::Python),
            ("express", Self::Node),
            ("node", Self::Node),
        ];
        known.iter().find(|(start, _)| name.starts_with(start)).map_or(Self::Unknown, |one| one.1)
    }
}

/// What would end a fault, the best first.
pub fn fix(maker: Maker, question: Question) -> Vec<&'static str> {
    match question {
        Question::EarlyAnswer | Question::UnreadInput | Question::FinOrReset => lingering(maker),
        Question::ClosesFirst => vec![
            "close the connection when its answer is out, where the request or the answer says \
             `Connection: close`",
        ],
        Question::LetsGo => vec![
            "close the descriptor when reading gives 0; CLOSE_WAIT ends by nothing else",
            "give every connection a deadline for its next octet, so that none is held for ever",
            "in Rust, lastack-graceful's `close_orderly` ends within its policy's bounds",
        ],
        Question::HalfClose => vec!["answer what was asked before the FIN, then close"],
        Question::CloseNotify => notifying(maker),
        Question::Idle => Vec::new(),
    }
}

/// An end that is said within TLS.
fn notifying(maker: Maker) -> Vec<&'static str> {
    let mut fixes = match maker {
        Maker::Python => vec![
            "Python: override `shutdown_request` and call the TLS socket's `unwrap()` before \
             `shutdown()`, which alone sends a FIN and no close_notify",
        ],
        Maker::Unknown => vec![
            "in Rust, close rustls streams with lastack-graceful's `close_orderly`: close_notify, \
             the FIN, and reading on",
        ],
        Maker::Nginx | Maker::Apache | Maker::HaProxy | Maker::Envoy | Maker::Node => Vec::new(),
    };
    fixes.push("in general: say close_notify (in OpenSSL `SSL_shutdown`) before the FIN");
    fixes
}

/// A close that waits until the client has read.
fn lingering(maker: Maker) -> Vec<&'static str> {
    let mut fixes = match maker {
        Maker::Nginx => vec![
            "nginx: `lingering_close always;` (`on`, its default, lingers only where it expects \
             more input, and misses some; `off` never does)",
        ],
        Maker::Apache => vec![
            "Apache lingers by itself: look for a proxy, a module or a LimitRequestBody filter \
             that ends the connection before it does",
        ],
        Maker::HaProxy => vec![
            "HAProxy: leave out `option nolinger`, and let `timeout client-fin` be longer than a \
             client needs to read the answer",
        ],
        Maker::Envoy => vec!["Envoy: raise `delayed_close_timeout` of the connection manager"],
        Maker::Python => vec![
            "Python: read the whole body before answering (rfile.read of Content-Length), or put \
             a server that lingers in front",
        ],
        Maker::Node => vec![
            "Node: consume the request before the answer ends (`req.resume()` and its 'end'), or \
             leave out `Connection: close`",
        ],
        Maker::Unknown => vec![
            "in axum or hyper, serve lastack-graceful's `Lingering` streams, whose shutdown reads \
             on until the client has closed",
            "in Node, consume the request before the answer ends (`req.resume()`)",
        ],
    };
    fixes.push(
        "in general: send the FIN (shutdown), read and discard until the client's FIN, within a \
         deadline, and only then close",
    );
    fixes
}
