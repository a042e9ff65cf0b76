//! The layer against a server of rustls, both in memory.

use super::*;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, SupportedProtocolVersion};

fn server(versions: &[&'static SupportedProtocolVersion]) -> ServerConnection {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["a.example".into()]).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("a key that fits");
    config.alpn_protocols = vec![HTTP.to_vec()];
    ServerConnection::new(Arc::new(config)).expect("a server")
}

fn layer() -> Box<dyn Layer> {
    let dialer = Dialer::new("a.example:443", Within::Http).expect("a dialer");
    dialer.begin().expect("a layer")
}

/// What the server has to send.
fn sent(server: &mut ServerConnection) -> Vec<u8> {
    let mut octets = Vec::new();
    while server.wants_write() {
        server.write_tls(&mut octets).expect("memory takes all");
    }
    octets
}

fn give(server: &mut ServerConnection, wire: &mut Vec<u8>) {
    let octets = std::mem::take(wire);
    let mut rest = octets.as_slice();
    while !rest.is_empty() {
        server.read_tls(&mut rest).expect("octets");
        server.process_new_packets().expect("TLS");
    }
}

/// Carries the handshake through; what of the server's is then still on its way.
fn shake(layer: &mut dyn Layer, server: &mut ServerConnection) -> Vec<u8> {
    let (mut heard, mut wire) = (Vec::new(), Vec::new());
    layer.take(&[], &mut heard, &mut wire).expect("a beginning");
    loop {
        give(server, &mut wire);
        let octets = sent(server);
        if layer.agreed().is_some() {
            return octets;
        }
        assert!(!octets.is_empty(), "the handshake stands still");
        layer.take(&octets, &mut heard, &mut wire).expect("an answer");
        assert!(heard.is_empty());
        if layer.agreed().is_some() {
            give(server, &mut wire);
            return sent(server);
        }
    }
}

#[test]
fn words_go_both_ways_and_both_ends_are_said() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let (mut layer, mut server) = (layer(), server(&[version]));
        let rest = shake(&mut *layer, &mut server);
        let agreed = layer.agreed().expect("a handshake");
        assert_eq!(agreed.alpn.as_deref(), Some("http/1.1"));
        assert_eq!(server.server_name(), Some("a.example"));
        assert!(agreed.version.starts_with("TLS 1.") && !agreed.verified, "{agreed:?}");
        let (mut heard, mut wire) = (Vec::new(), Vec::new());
        layer.take(&rest, &mut heard, &mut wire).expect("tickets");
        layer.say(b"question", &mut wire).expect("words");
        layer.end(&mut wire);
        give(&mut server, &mut wire);
        let mut asked = Vec::new();
        server.reader().read_to_end(&mut asked).expect("an end that was meant");
        assert_eq!(asked, b"question");
        server.writer().write_all(b"answer").expect("words");
        server.send_close_notify();
        layer.take(&sent(&mut server), &mut heard, &mut wire).expect("an answer");
        assert_eq!((heard.as_slice(), layer.has_ended()), (&b"answer"[..], true));
    }
}

#[test]
fn tickets_say_nothing() {
    let (mut layer, mut server) = (layer(), server(&[&rustls::version::TLS13]));
    let tickets = shake(&mut *layer, &mut server);
    assert!(!tickets.is_empty(), "a server of TLS 1.3 sends tickets");
    let (mut heard, mut wire) = (Vec::new(), Vec::new());
    layer.take(&tickets, &mut heard, &mut wire).expect("tickets");
    assert_eq!((heard.len(), wire.len(), layer.has_ended()), (0, 0, false));
}

#[test]
fn no_more_is_taken_than_one_record_and_half_of_one_says_nothing() {
    let (mut layer, mut server) = (layer(), server(&[&rustls::version::TLS13]));
    let mut stream = shake(&mut *layer, &mut server);
    server.writer().write_all(b"first").expect("words");
    stream.extend(sent(&mut server));
    server.writer().write_all(b"second").expect("words");
    let second = sent(&mut server);
    stream.extend(&second);
    let (mut heard, mut wire, mut at) = (Vec::new(), Vec::new(), 0);
    while heard.is_empty() {
        let end = at + layer.appetite();
        layer.take(&stream[at..end], &mut heard, &mut wire).expect("records");
        at = end;
    }
    assert_eq!((heard.as_slice(), at), (&b"first"[..], stream.len() - second.len()));
    layer.take(&second[..second.len() - 1], &mut heard, &mut wire).expect("a part");
    assert_eq!(heard, b"first");
}

#[test]
fn what_is_no_tls_is_said_to_be_none() {
    let fault = |octets: &[u8]| {
        let (mut heard, mut wire) = (Vec::new(), Vec::new());
        let mut layer = layer();
        layer.take(&[], &mut heard, &mut wire).expect("a beginning");
        layer.take(octets, &mut heard, &mut wire).expect_err("a fault")
    };
    assert_eq!(fault(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "it answers TLS in plain HTTP");
    assert_eq!(fault(b"220 mail.example ESMTP\r\n"), "what it answers is no TLS");
    // An alert: fatal, handshake_failure (RFC 8446 §6).
    let refused = fault(&[21, 3, 3, 0, 2, 2, 40]);
    assert_eq!(refused, "it refused by the TLS alert HandshakeFailure");
}

#[test]
fn only_what_has_a_name_is_asked_for_by_name() {
    for address in ["127.0.0.1:443", "[::1]:443", "[fe80::1%lo]:443", "443"] {
        assert!(matches!(name(address), Ok(ServerName::IpAddress(_))), "{address}");
    }
    assert!(matches!(name("a.example:443"), Ok(ServerName::DnsName(_))));
    assert!(name("a..b:443").is_err());
}
