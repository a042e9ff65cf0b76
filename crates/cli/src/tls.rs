//! TLS for `probe`, by rustls: a layer without I/O between what a trial says and its socket.
//!
//! A probe asks how connections end, not whom it talks to: the certificate is not verified, and the report says so. So
//! nothing may be sent through it that is secret. Nothing is resumed, so that every connection begins alike.

mod anybody;
mod records;

use lastack_model::probe::Tls;
use lastack_os::dialogue::Layer;
use records::Records;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Error, ProtocolVersion};
use std::io::{Read as _, Write as _};
use std::net::IpAddr;
use std::sync::Arc;

/// What begins connections of TLS to one server.
#[derive(Clone, Debug)]
pub struct Dialer {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

/// Which protocol is offered within (RFC 7301).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Within {
    /// HTTP/1.1.
    Http,
    /// Whatever it is.
    Anything,
}

impl Dialer {
    /// For the server at this address, a name or an IP address with its port; only a name is sent (RFC 6066 §3).
    pub fn new(address: &str, within: Within) -> Result<Self, String> {
        let config = config(within).map_err(|cause| format!("failed to set up TLS: {cause}"))?;
        Ok(Self { config: Arc::new(config), name: name(address)? })
    }

    /// A connection that is to begin.
    pub fn begin(&self) -> Result<Box<dyn Layer>, String> {
        let connection = ClientConnection::new(Arc::clone(&self.config), self.name.clone())
            .map_err(|cause| format!("failed to begin TLS: {cause}"))?;
        Ok(Box::new(Session {
            connection,
            records: Records::default(),
            first: None,
            has_ended: false,
        }))
    }
}

fn config(within: Within) -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let anybody = Arc::new(anybody::Anybody::new(&provider));
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(anybody)
        .with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    if within == Within::Http {
        config.alpn_protocols = vec![HTTP.to_vec()];
    }
    Ok(config)
}

/// A bare port is this host's.
fn name(address: &str) -> Result<ServerName<'static>, String> {
    let host = address.rsplit_once(':').map_or("127.0.0.1", |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let without_zone = host.split('%').next().unwrap_or(host);
    match without_zone.parse::<IpAddr>() {
        Ok(ip) => Ok(ServerName::from(ip)),
        Err(_) => ServerName::try_from(host.to_owned())
            .map_err(|_| format!("{host:?} is no name that TLS can ask for (RFC 6066 §3)")),
    }
}

/// One connection.
#[derive(Debug)]
struct Session {
    connection: ClientConnection,
    records: Records,
    /// What came first.
    first: Option<First>,
    has_ended: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum First {
    PlainHttp,
    Other,
}

impl Session {
    /// What rustls has to send, into memory, which takes everything.
    fn flush(&mut self, wire: &mut Vec<u8>) {
        while self.connection.wants_write()
            && self.connection.write_tls(wire).is_ok_and(|sent| sent > 0)
        {}
    }

    /// Octets to rustls, and what they say; it takes less than all when its room is full, or after `close_notify`.
    fn feed(&mut self, mut octets: &[u8], heard: &mut Vec<u8>) -> Result<(), String> {
        loop {
            let took = self.connection.read_tls(&mut octets).map_err(|cause| cause.to_string())?;
            let state = self.connection.process_new_packets();
            let state = state.map_err(|cause| self.words(&cause))?;
            self.has_ended |= state.peer_has_closed();
            let start = heard.len();
            heard.resize(start + state.plaintext_bytes_to_read(), 0);
            let read = self.connection.reader().read_exact(&mut heard[start..]);
            read.map_err(|cause| format!("failed to read from TLS: {cause}"))?;
            if took == 0 || octets.is_empty() {
                return Ok(());
            }
        }
    }

    fn words(&self, cause: &Error) -> String {
        if self.first == Some(First::PlainHttp) {
            return "it answers TLS in plain HTTP".into();
        }
        match cause {
            Error::AlertReceived(alert) => format!("it refused by the TLS alert {alert:?}"),
            Error::InvalidMessage(_) if self.connection.is_handshaking() => {
                "what it answers is no TLS".into()
            }
            Error::PeerIncompatible(what) => {
                format!("it has nothing in common with TLS 1.2 and 1.3 here: {what:?}")
            }
            other => format!("TLS broke off: {other}"),
        }
    }
}

impl Layer for Session {
    fn say(&mut self, words: &[u8], wire: &mut Vec<u8>) -> Result<(), String> {
        let said = self.connection.writer().write_all(words);
        said.map_err(|cause| format!("failed to write to TLS: {cause}"))?;
        self.flush(wire);
        Ok(())
    }

    fn end(&mut self, wire: &mut Vec<u8>) {
        self.connection.send_close_notify();
        self.flush(wire);
    }

    fn take(
        &mut self,
        octets: &[u8],
        heard: &mut Vec<u8>,
        wire: &mut Vec<u8>,
    ) -> Result<(), String> {
        if !octets.is_empty() {
            let is_http = octets.starts_with(b"HTTP/");
            self.first.get_or_insert(if is_http { First::PlainHttp } else { First::Other });
            self.records.pass(octets);
            self.feed(octets, heard)?;
        }
        self.flush(wire);
        Ok(())
    }

    fn appetite(&self) -> usize {
        self.records.left()
    }

    fn agreed(&self) -> Option<Tls> {
        if self.connection.is_handshaking() {
            return None;
        }
        let version = match self.connection.protocol_version()? {
            ProtocolVersion::TLSv1_3 => "TLS 1.3".to_owned(),
            ProtocolVersion::TLSv1_2 => "TLS 1.2".to_owned(),
            other => format!("{other:?}"),
        };
        let cipher = format!("{:?}", self.connection.negotiated_cipher_suite()?.suite());
        let alpn = self.connection.alpn_protocol();
        let alpn = alpn.map(|name| name.escape_ascii().to_string());
        Some(Tls { version, cipher, alpn, verified: false, close_notify: false })
    }

    fn has_ended(&self) -> bool {
        self.has_ended
    }
}

const HTTP: &[u8] = b"http/1.1";

#[cfg(test)]
mod tests;
