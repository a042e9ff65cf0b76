//! URLs, as far as `probe` needs them: `http://host[:port][/path][?query]`, and the same with `https`.

/// A URL of HTTP, plain or within TLS.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Url {
    /// How HTTP is carried.
    pub scheme: Scheme,
    /// Host and port as an address has them.
    pub address: String,
    /// The same as the field `Host` has it.
    pub host: String,
    /// The path with its query; at least `/`.
    pub path: String,
}

/// How HTTP is carried.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scheme {
    /// By TCP alone.
    Http,
    /// Within TLS.
    Https,
}

impl Scheme {
    const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    const fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Reads a URL; `None` where the text is none but perhaps an address.
pub fn parse(text: &str) -> Option<Result<Url, String>> {
    let (scheme, rest) = text.split_once("://")?;
    Some(read(scheme, rest).map_err(|why| format!("{text:?} cannot be probed: {why}")))
}

fn read(scheme: &str, rest: &str) -> Result<Url, String> {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (authority, path) = (authority, path.split('#').next().unwrap_or_default());
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => return Err(format!("the scheme {other:?} is neither http nor https")),
    };
    if authority.contains('@') {
        return Err("a name and password are not sent (leave out what stands before @)".into());
    }
    if authority.is_empty() || authority.starts_with(':') {
        return Err(format!("the host is missing (write {}://localhost/)", scheme.name()));
    }
    // Anything else could end the request line or the field, and begin another.
    let is_safe = |text: &str| text.bytes().all(|octet| octet.is_ascii_graphic());
    if !is_safe(authority) || !is_safe(path) {
        return Err("it holds a space, or a character that must be written as %XX".into());
    }
    let address = if has_port(authority) {
        authority.to_owned()
    } else {
        format!("{authority}:{}", scheme.port())
    };
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Ok(Url { scheme, address, host: authority.to_owned(), path })
}

fn has_port(authority: &str) -> bool {
    let after_brackets = authority.rsplit(']').next().unwrap_or(authority);
    after_brackets.contains(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> (String, String, String) {
        let url = parse(text).expect("a URL").unwrap_or_else(|why| panic!("{why}"));
        (url.address, url.host, url.path)
    }

    fn of(address: &str, host: &str, path: &str) -> (String, String, String) {
        (address.into(), host.into(), path.into())
    }

    #[test]
    fn port_and_path_have_their_usual_values() {
        assert_eq!(url("http://a.example"), of("a.example:80", "a.example", "/"));
        assert_eq!(url("HTTP://[::1]:81/x?y#z"), of("[::1]:81", "[::1]:81", "/x?y"));
        assert_eq!(url("http://[::1]/"), of("[::1]:80", "[::1]", "/"));
        assert_eq!(url("http://a?b"), of("a:80", "a", "/?b"));
        assert_eq!(url("https://a"), of("a:443", "a", "/"));
        assert_eq!(url("https://[::1]:8443/x"), of("[::1]:8443", "[::1]:8443", "/x"));
    }

    #[test]
    fn an_address_is_no_url() {
        assert_eq!(parse("127.0.0.1:80"), None);
        assert_eq!(parse("8080"), None);
    }

    #[test]
    fn what_cannot_be_probed_says_why() {
        let fault = |text: &str| parse(text).expect("a URL").expect_err("a fault");
        assert!(fault("ftp://a/").contains("\"ftp\""));
        assert!(fault("http:///x").contains("host is missing"));
        assert!(fault("http://u:p@a/").contains("password"));
        assert!(fault("https://u:p@a/").contains("password"));
        assert!(fault("https://:443").contains("write https://localhost/"));
        assert!(fault("http://a/x y").contains("%XX"));
        assert!(fault("http://a/\r\nX: y").contains("%XX"));
    }
}
