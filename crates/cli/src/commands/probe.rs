//! `lastack probe ADDR|URL`: how somebody's server ends connections, tested from outside.
//!
//! The connections are made one after another, to the one address that answered first. Before the first it says what all
//! of them cost at most.

use crate::address::{self, Place};
use crate::args::ProbeArgs;
use crate::error::Error;
use crate::exit::Exit;
use crate::report::probe::{self as report, Probed};
use crate::url;
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
    let (protocol, addresses) = target(args)?;
    let patience_ms = u64::try_from(args.patience.as_millis()).unwrap_or(u64::MAX);
    if patience_ms == 0 {
        return Err(Error::new("--patience 0 waits for nothing (write 3s or 500ms)"));
    }
    let bounds = Bounds { patience_ms, ..Bounds::DEFAULT };
    let trials = trials(&protocol, &bounds);
    report::beforehand(args, &addresses, &trials, &bounds)?;
    if args.dry_run {
        return Ok(Exit::Yes);
    }
    let began = Instant::now();
    let until = began + args.timeout;
    let (address, first) = first_to_answer(&addresses, args.patience, until)?;
    let (all, is_complete) = carry_through(&trials, address, first, args.patience, until)?;
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

/// The rest of the connections follow the first; whether all of them were made.
fn carry_through(
    trials: &[Trial],
    address: SocketAddr,
    first: Dialogue,
    patience: Duration,
    until: Instant,
) -> Result<(Vec<Observed>, bool), Error> {
    let mut all = Vec::new();
    let mut made = Some(first);
    for trial in trials {
        let dialogue = match made.take() {
            Some(dialogue) => Ok(dialogue),
            None if Instant::now() >= until => return Ok((all, false)),
            None => Dialogue::begin(address, patience.min(until - Instant::now())),
        };
        let went = match dialogue {
            Ok(dialogue) => dialogue.hold(trial, Bounds::DEFAULT.most_read, until),
            Err(cause) => Ok(Went::Through(Observed::unreached(trial, cause.to_string()))),
        };
        match went.map_err(|cause| Error::new(format!("failed to talk to {address}: {cause}")))? {
            Went::Through(one) => all.push(one),
            Went::OutOfTime(one) => {
                all.push(one);
                return Ok((all, false));
            }
        }
    }
    Ok((all, true))
}

/// Of several addresses of a name the first that takes a connection is meant.
fn first_to_answer(
    addresses: &[SocketAddr],
    patience: Duration,
    until: Instant,
) -> Result<(SocketAddr, Dialogue), Error> {
    let mut causes = Vec::new();
    for address in addresses {
        let at_most = patience.min(until.saturating_duration_since(Instant::now()));
        match Dialogue::begin(*address, at_most) {
            Ok(dialogue) => return Ok((*address, dialogue)),
            Err(cause) => causes.push(format!("failed to connect to {address}: {}", why(&cause))),
        }
    }
    Err(Error::new(causes.join("; ")))
}

fn why(cause: &io::Error) -> String {
    match cause.kind() {
        io::ErrorKind::ConnectionRefused => {
            "connection refused (nobody listens there; on its host `lastack` shows who does)".into()
        }
        io::ErrorKind::TimedOut => {
            "nobody answered in time (is it filtered? --patience waits longer)".into()
        }
        _ => cause.to_string(),
    }
}

/// What is spoken, and with whom.
fn target(args: &ProbeArgs) -> Result<(Protocol, Vec<SocketAddr>), Error> {
    let Some(url) = url::parse(&args.target) else {
        if args.method != "GET" {
            return Err(Error::new("--method is for a URL (write http://HOST:PORT/)"));
        }
        let words = args.send.as_deref().map(words).transpose()?;
        return Ok((Protocol::Plain(words), addresses(&args.target)?));
    };
    let url = url.map_err(Error::new)?;
    if args.send.is_some() {
        return Err(Error::new("--send is for an address, not a URL, which is asked in HTTP"));
    }
    let (host, path, agent) = (url.host, url.path, AGENT.into());
    let request = Request { method: method(&args.method)?, host, path, agent };
    Ok((Protocol::Http(request), addresses(&url.address)?))
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
