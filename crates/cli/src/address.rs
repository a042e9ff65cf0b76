//! Addresses as people type them: `8080`, `:8080`, `127.0.0.1:8080`, `[::1]:8080`, `udp/53`, `host:port`.
//!
//! Parsing asks nothing of the system except the two things only it knows: what a service name and a host name mean.

use lastack_model::facts::{Host, Transport};
use lastack_model::ids::Port;
use lastack_model::selection::End;
use std::net::{IpAddr, Ipv6Addr, ToSocketAddrs};

/// An address somebody asked about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Target {
    /// As it was typed.
    pub asked: String,
    /// TCP unless `udp/` was written.
    pub transport: Transport,
    /// Where.
    pub place: Place,
    /// The port.
    pub port: Port,
}

/// The address part.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Place {
    /// None was given: what a server means by that, the wildcard.
    Anywhere,
    /// These addresses; several when a host name has several.
    At(Vec<IpAddr>),
    /// A link-local address with its interface.
    OnInterface(Ipv6Addr, String),
}

/// Reads an address.
pub fn parse(asked: &str) -> Result<Target, String> {
    let (transport, rest) = transport(asked)?;
    let (host, port) = split(rest).map_err(|why| format!("{asked:?} is not an address: {why}"))?;
    let port = parse_port(port, transport).map_err(|why| format!("{asked:?}: {why}"))?;
    let place = place(host).map_err(|why| format!("{asked:?}: {why}"))?;
    Ok(Target { asked: asked.to_owned(), transport, place, port })
}

/// Reads one end of connections on that host: an address, a port, or both.
pub fn parse_end(text: &str, host: &Host) -> Result<End, String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if let Ok(ip) = bare.parse() {
        return Ok(End { addresses: vec![ip], ..End::default() });
    }
    let target = parse(text)?;
    if target.transport != Transport::Tcp {
        return Err(format!("{text:?}: only TCP connections can be closed"));
    }
    let port = Some(target.port);
    Ok(match target.place {
        Place::Anywhere => End { port, ..End::default() },
        Place::At(addresses) => End { addresses, port, interface: None },
        Place::OnInterface(address, name) => {
            let index = host.interface_named(&name);
            let index =
                index.ok_or_else(|| format!("{text:?}: no interface is called {name:?}"))?;
            End { addresses: vec![IpAddr::V6(address)], port, interface: Some(index) }
        }
    })
}

fn transport(asked: &str) -> Result<(Transport, &str), String> {
    match asked.split_once('/') {
        None => Ok((Transport::Tcp, asked)),
        Some(("tcp", rest)) => Ok((Transport::Tcp, rest)),
        Some(("udp", rest)) => Ok((Transport::Udp, rest)),
        Some((other, _)) => {
            Err(format!("{asked:?}: unknown transport {other:?} (write udp/53, or tcp/8080)"))
        }
    }
}

/// Splits host and port; a bare word is a port.
fn split(text: &str) -> Result<(&str, &str), &'static str> {
    if let Some(inner) = text.strip_prefix('[') {
        let (host, port) = inner.split_once(']').ok_or("the bracket is not closed")?;
        return match port.strip_prefix(':') {
            Some(port) => Ok((host, port)),
            None => Err("the port is missing (write [::1]:8080)"),
        };
    }
    match text.rsplit_once(':') {
        None if text.parse::<IpAddr>().is_ok() => Err("the port is missing (write 127.0.0.1:8080)"),
        None => Ok(("", text)),
        Some((host, _)) if host.contains(':') => {
            Err("an IPv6 address stands in brackets (write [::1]:8080)")
        }
        Some((host, port)) => Ok((host, port)),
    }
}

fn parse_port(text: &str, transport: Transport) -> Result<Port, String> {
    if text.is_empty() {
        return Err("the port is missing".into());
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return match text.parse() {
            Ok(0) => Err("port 0 asks the kernel to choose, so there is nothing to explain \
                          (name a port from 1 to 65535)"
                .into()),
            Ok(port) => Ok(Port(port)),
            Err(_) => Err(format!("port {text} does not exist (ports go from 1 to 65535)")),
        };
    }
    let services = std::fs::read_to_string("/etc/services").unwrap_or_default();
    service_port(&services, text, transport).ok_or_else(|| {
        format!("unknown port name {text:?} (use a number, or a name from /etc/services)")
    })
}

fn service_port(services: &str, name: &str, transport: Transport) -> Option<Port> {
    let protocol = match transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
    };
    services.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_ascii_whitespace();
        let official = words.next()?;
        let (port, of) = words.next()?.split_once('/')?;
        let named = official == name || words.any(|alias| alias == name);
        (named && of == protocol).then(|| port.parse().ok().map(Port))?
    })
}

fn place(host: &str) -> Result<Place, String> {
    if host.is_empty() || host == "*" {
        return Ok(Place::Anywhere);
    }
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(Place::At(vec![ip]));
    }
    if let Some((ip, interface)) = host.split_once('%') {
        let ip = ip.parse().map_err(|_| format!("{ip:?} is not an IPv6 address"))?;
        return Ok(Place::OnInterface(ip, interface.to_owned()));
    }
    let found: Vec<IpAddr> = (host, 0)
        .to_socket_addrs()
        .map_err(|cause| format!("host name {host:?} does not resolve: {cause} (use an address)"))?
        .map(|address| address.ip())
        .collect();
    let mut distinct: Vec<IpAddr> = Vec::new();
    for ip in found {
        if !distinct.contains(&ip) {
            distinct.push(ip);
        }
    }
    Ok(Place::At(distinct))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> (Transport, Place, u16) {
        let target = parse(text).unwrap_or_else(|why| panic!("{text}: {why}"));
        (target.transport, target.place, target.port.0)
    }

    #[test]
    fn a_bare_port_means_anywhere() {
        for text in ["8080", ":8080", "*:8080", "tcp/8080"] {
            assert_eq!(at(text), (Transport::Tcp, Place::Anywhere, 8080));
        }
        assert_eq!(at("udp/53"), (Transport::Udp, Place::Anywhere, 53));
    }

    #[test]
    fn addresses_of_both_families_are_read() {
        let v4 = Place::At(vec!["127.0.0.1".parse().expect("an address")]);
        assert_eq!(at("127.0.0.1:80"), (Transport::Tcp, v4.clone(), 80));
        assert_eq!(at("udp/127.0.0.1:53"), (Transport::Udp, v4, 53));
        let v6 = Place::At(vec!["::1".parse().expect("an address")]);
        assert_eq!(at("[::1]:80"), (Transport::Tcp, v6, 80));
        let link = Place::OnInterface("fe80::1".parse().expect("an address"), "eth0".into());
        assert_eq!(at("[fe80::1%eth0]:80"), (Transport::Tcp, link, 80));
    }

    #[test]
    fn what_cannot_be_an_address_is_one_error_with_a_remedy() {
        for (text, says) in [
            ("0", "port 0"),
            ("70000", "from 1 to 65535"),
            ("127.0.0.1", "port is missing"),
            ("::1", "in brackets"),
            ("[::1]", "port is missing"),
            ("[::1:80", "bracket is not closed"),
            ("sctp/80", "unknown transport"),
            ("no-such-service", "unknown port name"),
            ("127.0.0.1:", "port is missing"),
            ("", "port is missing"),
        ] {
            let why = parse(text).expect_err(text);
            assert!(why.contains(says), "{text:?} says {why:?}, not {says:?}");
        }
    }

    #[test]
    fn an_end_is_an_address_a_port_or_both() {
        let host = Host::default();
        let end = |text: &str| parse_end(text, &host).unwrap_or_else(|why| panic!("{text}: {why}"));
        let ip: IpAddr = "2001:db8::7".parse().expect("an address");
        for text in ["2001:db8::7", "[2001:db8::7]"] {
            assert_eq!(end(text), End { addresses: vec![ip], ..End::default() }, "{text}");
        }
        assert_eq!(end(":443"), End { port: Some(Port(443)), ..End::default() });
        let both = End { addresses: vec![ip], port: Some(Port(443)), interface: None };
        assert_eq!(end("[2001:db8::7]:443"), both);
        for (text, says) in [
            ("udp/53", "only TCP"),
            ("udp/10.0.0.7:53", "only TCP"),
            ("[fe80::1%nowhere0]:80", "nowhere0"),
            ("[10.0.0.7", "not closed"),
            ("", "port is missing"),
        ] {
            let why = parse_end(text, &host).expect_err(text);
            assert!(why.contains(says), "{text:?} says {why:?}, not {says:?}");
        }
    }

    #[test]
    fn service_names_are_of_one_transport() {
        let services = "domain 53/tcp\ndomain 53/udp\nhttp 80/tcp www # WorldWideWeb\n";
        assert_eq!(service_port(services, "www", Transport::Tcp), Some(Port(80)));
        assert_eq!(service_port(services, "http", Transport::Udp), None);
    }
}
