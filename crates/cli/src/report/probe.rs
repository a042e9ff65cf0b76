//! How a server ends connections: what it will cost, the verdicts, the ladders, and what would help.

use super::figure::{self, Paper};
use super::page::{self, Page, Tone};
use super::{data, json};
use crate::args::ProbeArgs;
use crate::error::Error;
use crate::exit::Exit;
use lastack_model::draw::canvas::Strokes;
use lastack_model::facts::Unseen;
use lastack_model::probe::{Bounds, Finding, Maker, Observed, Tls, Trial, Verdict, fix, ladder};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

/// What was found.
#[derive(Debug)]
pub struct Probed {
    /// With whom it spoke.
    pub address: SocketAddr,
    /// The connections.
    pub all: Vec<Observed>,
    /// The verdicts.
    pub findings: Vec<Finding>,
    /// What cannot be seen from here.
    pub unseen: Vec<Unseen>,
    /// How long it took.
    pub took: Duration,
    /// What it was allowed.
    pub bounds: Bounds,
    /// Whether every connection came to its end in time.
    pub is_complete: bool,
    /// The exit code.
    pub exit: Exit,
}

/// Says what it will cost at most: talk, or with `--dry-run` the answer itself.
pub fn beforehand(
    args: &ProbeArgs,
    addresses: &[SocketAddr],
    trials: &[Trial],
    bounds: &Bounds,
) -> Result<(), Error> {
    let count = trials.len();
    let within_tls = trials.iter().any(|trial| trial.speaks_tls);
    let sent: u64 = trials.iter().map(Trial::sends).sum();
    let read = bounds.most_read * count as u64;
    let many = if count == 1 { "connection" } else { "connections, one after another" };
    let seconds = args.timeout.as_secs_f64();
    let cost = format!(
        "{count} {many}, at most {} sent and {} read{}, at most {seconds} s",
        size(sent),
        size(read),
        if within_tls { " within TLS" } else { "" },
    );
    if !args.dry_run {
        let at: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let talk = format!("lastack: probing {}: {cost}", at.join(" or "));
        for line in textwrap::wrap(&talk, page::width()) {
            anstream::eprintln!("{line}");
        }
        return Ok(());
    }
    let names: Vec<&str> = trials.iter().map(|trial| trial.kind.name()).collect();
    if args.output.json {
        let object = json!({
            "schema": "lastack.probe/1",
            "exit": 0,
            "asked": args.target,
            "dry_run": true,
            "addresses": addresses,
            "connections": names,
            "most_sent": sent,
            "most_read": read,
            "patience_ms": bounds.patience_ms,
            "timeout_ms": milliseconds(args.timeout),
            "tls": within_tls.then(|| for_programs_tls(None)),
        });
        return page::print(&json::line(&object));
    }
    let mut page = Page::of_terminal();
    page.line(0, &format!("Would probe {}: {cost}.", args.target));
    for address in addresses {
        page.line(2, &address.to_string());
    }
    page.line(2, &names.join(", "));
    page.print()
}

/// Writes it, in the form that was asked for.
pub fn write(probed: &Probed, args: &ProbeArgs) -> Result<(), Error> {
    if args.output.json {
        return page::print(&for_programs(probed, args));
    }
    let mut page = Page::of_terminal();
    head(&mut page, probed, args);
    page.line(0, "");
    for finding in &probed.findings {
        one(&mut page, finding);
    }
    ladders(&mut page, probed, args);
    let fixes = fixes(probed);
    if !fixes.is_empty() {
        page.heading("What helps");
        for (at, fix) in fixes.iter().enumerate() {
            page.item(2, &format!("{}. ", at + 1), fix);
        }
    }
    page.heading("Not seen");
    for Unseen { what, why, remedy } in &probed.unseen {
        page.item(2, "- ", &format!("{what}: {why} ({remedy})"));
    }
    page.print()
}

fn head(page: &mut Page, probed: &Probed, args: &ProbeArgs) {
    let with = |verdict| probed.findings.iter().filter(|one| one.verdict == verdict).count();
    let (faults, open) = (with(Verdict::Fault), with(Verdict::Undecided));
    let target = &args.target;
    let (tone, text) = match (faults, open) {
        (0, 0) => (Tone::Good, format!("{target}: no fault found.")),
        (0, 1) => (Tone::Mixed, format!("{target}: no fault found, 1 question open.")),
        (0, open) => (Tone::Mixed, format!("{target}: no fault found, {open} questions open.")),
        (1, _) => (Tone::Bad, format!("{target}: 1 fault found.")),
        (faults, _) => (Tone::Bad, format!("{target}: {faults} faults found.")),
    };
    page.verdict(tone, &text);
    let count = probed.all.len();
    let many = if count == 1 { "connection" } else { "connections" };
    let time = probed.took.as_secs_f64();
    let name = server(probed).map_or_else(String::new, |name| format!(", {name}"));
    page.line(2, &format!("{}{name}; {count} {many} in {time:.1} s", probed.address));
    if let Some(Tls { version, cipher, alpn, .. }) = tls(probed) {
        let alpn = alpn.as_ref().map_or_else(String::new, |name| format!(", {name}"));
        page.line(2, &format!("{version}, {cipher}{alpn}; certificate not verified"));
    }
    if !probed.is_complete {
        page.line(2, "the time was over before every connection was through");
    }
}

fn one(page: &mut Page, finding: &Finding) {
    let Finding { question, verdict, says, because, source, .. } = finding;
    let mark = format!("{:<7}", verdict.word());
    page.item(2, &mark, &format!("{}: {says}", question.words()));
    let because = because.as_ref().filter(|_| *verdict != Verdict::Good);
    if let Some(because) = because {
        page.line(9, &format!("{because} ({source})"));
    }
}

/// Those that show a fault, or all.
fn ladders(page: &mut Page, probed: &Probed, args: &ProbeArgs) {
    let shows_fault = |at: usize| {
        let is = |one: &&Finding| one.verdict == Verdict::Fault && one.shown_by == Some(at);
        probed.findings.iter().any(|one| is(&one))
    };
    for (at, observed) in probed.all.iter().enumerate() {
        if !args.ladders && !shows_fault(at) {
            continue;
        }
        page.heading(&format!("Connection \"{}\"", observed.kind.name()));
        let mut paper = Paper::new(Strokes::Box, page::width());
        figure::steps(&mut paper, &ladder(observed));
        page.drawing(&paper.into_text());
    }
}

fn server(probed: &Probed) -> Option<&str> {
    probed.all.iter().find_map(|one| one.server.as_deref())
}

/// What was agreed on first.
fn tls(probed: &Probed) -> Option<&Tls> {
    probed.all.iter().find_map(|one| one.tls.as_ref())
}

/// What holds for all connections; each says for itself whether it ended by `close_notify`.
fn for_programs_tls(agreed: Option<&Tls>) -> Value {
    json!({
        "version": agreed.map(|tls| &tls.version),
        "cipher": agreed.map(|tls| &tls.cipher),
        "alpn": agreed.and_then(|tls| tls.alpn.as_ref()),
        "verified": false,
    })
}

fn fixes(probed: &Probed) -> Vec<&'static str> {
    let maker = Maker::of(server(probed));
    let faults = probed.findings.iter().filter(|one| one.wants_fix(&probed.all));
    let mut all: Vec<&'static str> = Vec::new();
    for one in faults.flat_map(|finding| fix(maker, finding.question)) {
        if !all.contains(&one) {
            all.push(one);
        }
    }
    all
}

fn for_programs(probed: &Probed, args: &ProbeArgs) -> String {
    let speaks_tls = probed.all.iter().any(|one| one.speaks_tls);
    let connections: Vec<_> = probed
        .all
        .iter()
        .map(|one| json!({ "observed": one, "ladder": data::ladder_events(&ladder(one)) }))
        .collect();
    json::line(&json!({
        "schema": "lastack.probe/1",
        "exit": probed.exit.code(),
        "asked": args.target,
        "dry_run": false,
        "address": probed.address,
        "server": server(probed),
        "tls": speaks_tls.then(|| for_programs_tls(tls(probed))),
        "complete": probed.is_complete,
        "took_ms": milliseconds(probed.took),
        "patience_ms": probed.bounds.patience_ms,
        "timeout_ms": milliseconds(args.timeout),
        "findings": probed.findings,
        "fixes": fixes(probed),
        "connections": connections,
        "unseen": probed.unseen,
    }))
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn size(octets: u64) -> String {
    match octets {
        0..10_000 => format!("{octets} octets"),
        10_000..10_000_000 => format!("{} kB", octets / 1000),
        _ => format!("{} MB", octets / 1_000_000),
    }
}
