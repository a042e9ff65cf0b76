//! URLs, as far as `probe` needs them: `http://host[:port][/path][?query]`.

/// A URL of plain HTTP.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Url {
    /// Host and port as an address has them.
    pub address: String,
    /// The same as the field `Host` has it.
    pub host: String,
    /// The path with its query; at least `/`.
    pub path: String,
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
    match scheme.to_ascii_lowercase().as_str() {
        "http" => {}
        "https" => {
            let place = if has_port(authority) { String::new() } else { ":443".into() };
            return Err(format!(
                "https needs TLS, which it does not speak (`lastack probe {authority}{place}` \
                 answers what needs no protocol; the port behind the TLS takes http)"
            ));
        }
        other => return Err(format!("the scheme {other:?} is not http")),
    }
    if authority.contains('@') {
        return Err("a name and password are not sent (leave out what stands before @)".into());
    }
    if authority.is_empty() || authority.starts_with(':') {
        return Err("the host is missing (write http://localhost/)".into());
    }
    // Anything else could end the request line or the field, and begin another.
    let is_safe = |text: &str| text.bytes().all(|octet| octet.is_ascii_graphic());
    if !is_safe(authority) || !is_safe(path) {
        return Err("it holds a space, or a character that must be written as %XX".into());
    }
    let address =
        if has_port(authority) { authority.to_owned() } else { format!("{authority}:80") };
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Ok(Url { address, host: authority.to_owned(), path })
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
    }

    #[test]
    fn an_address_is_no_url() {
        assert_eq!(parse("127.0.0.1:80"), None);
        assert_eq!(parse("8080"), None);
    }

    #[test]
    fn what_cannot_be_probed_says_why() {
        let fault = |text: &str| parse(text).expect("a URL").expect_err("a fault");
        assert!(fault("https://a.example/").contains("lastack probe a.example:443"));
        assert!(fault("https://a.example:8443/").contains("lastack probe a.example:8443`"));
        assert!(fault("ftp://a/").contains("\"ftp\""));
        assert!(fault("http:///x").contains("host is missing"));
        assert!(fault("http://u:p@a/").contains("password"));
        assert!(fault("http://a/x y").contains("%XX"));
        assert!(fault("http://a/\r\nX: y").contains("%XX"));
    }
}
