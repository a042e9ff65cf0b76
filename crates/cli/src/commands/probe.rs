//! `lastack probe ADDR|URL`: how somebody's server ends connections, tested from outside.
//!
//! The connections are made one after another, to the one address that answered first. Before the first it says what all
//! of them cost at most.

use crate::address::{self, Place};
use crate::args::ProbeArgs;
use crate::error::Error;
use crate::exit::Exit;
use crate::report::probe::{self as report, Probed};
use crate::tls::{Dialer, Within};
use crate::url::{self, Scheme};
use lastack_model::facts::Transport;
use lastack_model::probe::{
    Bounds, Observed, Protocol, Request, Trial, Verdict, judge, trials, unseen,
};
use lastack_os::dialogue::{Dialogue, Went};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::time::{Duration, Instant};

/// Tests it.
pub fn run(args: &ProbeArgs) -> Result<Exit, Error> {
    let Target { protocol, addresses, dialer } = target(args)?;
    let patience_ms = u64::try_from(args.patience.as_millis()).unwrap_or(u64::MAX);
    if patience_ms == 0 {
        return Err(Error::new("--patience 0 waits for nothing (write 3s or 500ms)"));
    }
    let bounds = Bounds { patience_ms, ..Bounds::DEFAULT };
    let trials = trials(&protocol, &bounds).into_iter();
    let trials: Vec<Trial> = match dialer {
        Some(_) => trials.map(|trial| trial.within_tls(patience_ms)).collect(),
        None => trials.collect(),
    };
    report::beforehand(args, &addresses, &trials, &bounds)?;
    if args.dry_run {
        return Ok(Exit::Yes);
    }
    let began = Instant::now();
    let until = began + args.timeout;
    let (address, all, is_complete) = match first_to_answer(&addresses, args.patience, until)? {
        First::Answers(address, first) => {
            let server = Server { address, dialer, patience: args.patience };
            let (all, is_complete) = server.carry_through(&trials, first, until)?;
            (address, all, is_complete)
        }
        First::OutOfTime(address, cause) => {
            let unreached = |trial| Observed::unreached(trial, cause.clone());
            (address, trials.iter().take(1).map(unreached).collect(), false)
        }
    };
    let findings = judge(&all);
    let exit = exit(is_complete, findings.iter().map(|finding| finding.verdict));
    let unseen = unseen(&all);
    let took = began.elapsed();
    report::write(
        &Probed { address, all, findings, unseen, took, bounds, is_complete, exit },
        args,
    )?;
    Ok(exit)
}

fn exit(is_complete: bool, verdicts: impl Iterator<Item = Verdict>) -> Exit {
    let worst = verdicts.max().unwrap_or(Verdict::Undecided);
    match (is_complete, worst) {
        (false, _) => Exit::TimedOut,
        (true, Verdict::Fault) => Exit::No,
        (true, Verdict::Undecided) => Exit::Partly,
        (true, Verdict::Good | Verdict::Noted) => Exit::Yes,
    }
}

/// The one address that is spoken with, and how.
struct Server {
    address: SocketAddr,
    dialer: Option<Dialer>,
    patience: Duration,
}

impl Server {
    /// The rest of the connections follow the first; whether all of them were made. Without a handshake on the first
    /// there is nobody to be judged.
    fn carry_through(
        &self,
        trials: &[Trial],
        first: Dialogue,
        until: Instant,
    ) -> Result<(Vec<Observed>, bool), Error> {
        let mut all: Vec<Observed> = Vec::new();
        let mut made = Some(first);
        for trial in trials {
            let dialogue = match made.take() {
                Some(dialogue) => Ok(dialogue),
                None if Instant::now() >= until => return Ok((all, false)),
                None => Dialogue::begin(self.address, self.patience.min(until - Instant::now())),
            };
            let went = match dialogue {
                Ok(dialogue) => self.hold(dialogue, trial, until)?,
                Err(cause) => {
                    let unreached = Observed::unreached(trial, cause.to_string());
                    let is_over = Instant::now() >= until;
                    if is_over { Went::OutOfTime(unreached) } else { Went::Through(unreached) }
                }
            };
            let (Went::Through(one) | Went::OutOfTime(one)) = &went;
            if let Some(cause) = one.handshake_failure().filter(|_| all.is_empty()) {
                return Err(self.without_tls(cause));
            }
            match went {
                Went::Through(one) => all.push(one),
                Went::OutOfTime(one) => {
                    all.push(one);
                    return Ok((all, false));
                }
            }
        }
        Ok((all, true))
    }

    fn hold(&self, dialogue: Dialogue, trial: &Trial, until: Instant) -> Result<Went, Error> {
        let dialogue = match &self.dialer {
            Some(dialer) => dialogue.through(dialer.begin().map_err(Error::new)?),
            None => dialogue,
        };
        let went = dialogue.hold(trial, Bounds::DEFAULT.most_read, until);
        went.map_err(|cause| Error::new(format!("failed to talk to {}: {cause}", self.address)))
    }

    fn without_tls(&self, cause: &str) -> Error {
        let address = self.address;
        let remedy = if cause.contains("in plain HTTP") {
            format!("write http://{address}/")
        } else if cause.contains("not over") {
            "does that port speak TLS? --patience waits longer".into()
        } else if cause.contains("alert") {
            "it may ask for a name, which only a URL with one sends, or for a certificate".into()
        } else {
            format!("does that port speak TLS? `lastack probe {address}` asks without it")
        };
        Error::new(format!("failed to begin TLS with {address}: {cause} ({remedy})"))
    }
}

/// Who of several addresses took a connection.
enum First {
    Answers(SocketAddr, Dialogue),
    /// The time of all was over while this one was called; why it and those before it did not answer.
    OutOfTime(SocketAddr, String),
}

/// Of several addresses of a name the first that takes a connection is meant.
fn first_to_answer(
    addresses: &[SocketAddr],
    patience: Duration,
    until: Instant,
) -> Result<First, Error> {
    let mut causes = Vec::new();
    for address in addresses {
        let at_most = patience.min(until.saturating_duration_since(Instant::now()));
        match Dialogue::begin(*address, at_most) {
            Ok(dialogue) => return Ok(First::Answers(*address, dialogue)),
            Err(cause) => {
                causes.push(format!("failed to connect to {address}: {}", why(&cause, at_most)));
            }
        }
        if Instant::now() >= until {
            return Ok(First::OutOfTime(*address, causes.join("; ")));
        }
    }
    Err(Error::new(causes.join("; ")))
}

fn why(cause: &io::Error, waited: Duration) -> String {
    match cause.kind() {
        io::ErrorKind::ConnectionRefused => {
            "connection refused (nobody listens there; on its host `lastack` shows who does)".into()
        }
        io::ErrorKind::TimedOut => format!(
            "nobody answered within {} ms (is it filtered? --patience and --timeout say how long \
             is waited)",
            waited.as_micros().div_ceil(1000)
        ),
        _ => cause.to_string(),
    }
}

/// What is spoken, and with whom.
struct Target {
    protocol: Protocol,
    addresses: Vec<SocketAddr>,
    /// What begins TLS, where it is spoken.
    dialer: Option<Dialer>,
}

fn target(args: &ProbeArgs) -> Result<Target, Error> {
    let Some(url) = url::parse(&args.target) else {
        if args.method != "GET" {
            return Err(Error::new("--method is for a URL (write http://HOST:PORT/)"));
        }
        let words = args.send.as_deref().map(words).transpose()?;
        let addresses = addresses(&args.target)?;
        let dialer = || Dialer::new(&args.target, Within::Anything).map_err(Error::new);
        let dialer = args.tls.then(dialer).transpose()?;
        return Ok(Target { protocol: Protocol::Plain(words), addresses, dialer });
    };
    let url = url.map_err(Error::new)?;
    if args.send.is_some() {
        return Err(Error::new("--send is for an address, not a URL, which is asked in HTTP"));
    }
    if args.tls {
        return Err(Error::new("--tls is for an address (a URL says it by https://)"));
    }
    let dialer = match url.scheme {
        Scheme::Http => None,
        Scheme::Https => Some(Dialer::new(&url.address, Within::Http).map_err(Error::new)?),
    };
    let (host, path, agent) = (url.host, url.path, AGENT.into());
    let request = Request { method: method(&args.method)?, host, path, agent };
    let addresses = addresses(&url.address)?;
    Ok(Target { protocol: Protocol::Http(request), addresses, dialer })
}

/// A bare port means one of this host's.
fn addresses(text: &str) -> Result<Vec<SocketAddr>, Error> {
    let target = address::parse(text).map_err(Error::new)?;
    if target.transport != Transport::Tcp {
        return Err(Error::new(format!("{text:?}: only TCP servers end connections")));
    }
    let port = target.port.0;
    Ok(match target.place {
        Place::Anywhere => vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))],
        Place::At(addresses) => {
            addresses.into_iter().map(|ip: IpAddr| SocketAddr::new(ip, port)).collect()
        }
        Place::OnInterface(ip, name) => {
            let interfaces = lastack_os::host::interfaces()?;
            let found = interfaces.iter().find(|interface| interface.name == name);
            let index = found
                .ok_or_else(|| Error::new(format!("{text:?}: no interface is called {name:?}")))?;
            vec![SocketAddr::V6(SocketAddrV6::new(ip, port, 0, index.index.0))]
        }
    })
}

/// A token (RFC 9110 §5.6.2), so that it cannot end the request line.
fn method(text: &str) -> Result<String, Error> {
    let is_token = |octet: u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet);
    match text {
        "HEAD" | "CONNECT" => Err(Error::new(format!(
            "--method {text}: its answer has no body to be judged by (use GET, POST or PUT)"
        ))),
        _ if !text.is_empty() && text.len() <= 32 && text.bytes().all(is_token) => Ok(text.into()),
        _ => Err(Error::new(format!("--method {text:?} is no method (write GET, POST or PUT)"))),
    }
}

/// What is said first: a file, or the text with its escapes.
fn words(text: &str) -> Result<Vec<u8>, Error> {
    let octets = match text.strip_prefix('@') {
        Some(file) => std::fs::read(file)
            .map_err(|cause| Error::new(format!("failed to read what to send, {file}: {cause}")))?,
        None => unescaped(text)?,
    };
    match octets.len() {
        0 => Err(Error::new("--send with nothing to send (leave it out to say nothing)")),
        length if length > MOST_WORDS => Err(Error::new(format!(
            "--send of {length} octets is more than first words (at most {MOST_WORDS})"
        ))),
        _ => Ok(octets),
    }
}

fn unescaped(text: &str) -> Result<Vec<u8>, Error> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        octets.extend_from_slice(&rest.as_bytes()[..at]);
        let escape = &rest[at + 1..];
        let hex = escape.strip_prefix('x').and_then(|digits| digits.get(..2));
        let is_hex = |text: &&str| text.bytes().all(|digit| digit.is_ascii_hexdigit());
        let number = hex.filter(is_hex).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let (octet, length) = match (escape.chars().next(), number) {
            (Some('r'), _) => (b'\r', 1),
            (Some('n'), _) => (b'\n', 1),
            (Some('t'), _) => (b'\t', 1),
            (Some('\\'), _) => (b'\\', 1),
            (Some('x'), Some(number)) => (number, 3),
            _ => {
                let rule = "a backslash begins \\r, \\n, \\t, \\\\ or \\xNN";
                return Err(Error::new(format!("--send {text:?}: {rule}")));
            }
        };
        octets.push(octet);
        rest = &escape[length..];
    }
    octets.extend_from_slice(rest.as_bytes());
    Ok(octets)
}

/// Whoever reads a server's log shall know what this was.
const AGENT: &str =
    concat!("lastack-probe/", env!("CARGO_PKG_VERSION"), " (tests how connections end)");
const MOST_WORDS: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_stand_for_octets() {
        assert_eq!(words(r"EHLO a\r\n\x00\\").expect("words"), b"EHLO a\r\n\0\\");
        for wrong in [r"\", r"\q", r"\x1", r"\xé1", r"\x+1", ""] {
            assert!(words(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_method_cannot_end_the_request_line() {
        assert!(method("PROPFIND").is_ok());
        for wrong in ["", "GET /", "GET\r\n", "HEAD", "é"] {
            assert!(method(wrong).is_err(), "{wrong:?}");
        }
    }
}
