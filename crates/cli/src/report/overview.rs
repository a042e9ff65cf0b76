//! The overview, for people.

use super::page::{Page, Tone};
use super::phrase;
use lastack_model::facts::{Family, Holder, SocketGroup, Unseen};
use lastack_model::ids::Inode;
use lastack_model::overview::{Overview, Problem};
use lastack_model::ports::Strain;
use lastack_model::state::State;
use lastack_model::truth::Truth;

/// Writes the overview.
pub fn write(page: &mut Page, overview: &Overview, holders: &[Holder], unseen: &[Unseen]) {
    let (tone, text) = match overview.problems.len() {
        0 => (Tone::Good, "No problem found.".to_owned()),
        1 => (Tone::Mixed, "1 problem found.".to_owned()),
        n => (Tone::Mixed, format!("{n} problems found.")),
    };
    page.verdict(tone, &text);
    for problem in &overview.problems {
        write_problem(page, problem, holders);
    }
    listeners(page, overview, holders);
    ending(page, overview);
    time_waits(page, overview, holders);
    if !unseen.is_empty() {
        page.heading("Not seen");
    }
    for unseen in unseen {
        page.item(2, "- ", &format!("{}: {} ({})", unseen.what, unseen.why, unseen.remedy));
    }
}

fn write_problem(page: &mut Page, problem: &Problem, holders: &[Holder]) {
    let (text, next) = match problem {
        Problem::CloseWaits { count, inodes } => {
            let names = names(inodes, holders);
            let who = if names.is_empty() { "no visible process".into() } else { names.join("; ") };
            let connections = if *count == 1 { "connection" } else { "connections" };
            let text = format!(
                "{count} {connections} in CLOSE_WAIT: the peer has closed and the program has not. A leak if they \
                 stay. Held by {who}"
            );
            (text, "lastack close --state close-wait --dry-run".to_owned())
        }
        Problem::Orphans { count, limit } => (
            format!("{count} orphans, the limit is {limit}: above it the kernel resets them"),
            "sysctl net.ipv4.tcp_max_orphans".to_owned(),
        ),
        Problem::TimeWaits { count, limit } => (
            format!("{count} TIME_WAITs, the limit is {limit}: above it the kernel makes none"),
            "sysctl net.ipv4.tcp_max_tw_buckets".to_owned(),
        ),
        Problem::Ports(destination) => (
            format!("the local ports toward {} are nearly spent", destination.address),
            format!("lastack why --connect {}", destination.address),
        ),
        Problem::OneFamily { listener } => {
            let port = listener.port();
            let (other, option) =
                if listener.is_ipv4() { ("[::]", " --v6only") } else { ("0.0.0.0", "") };
            (
                format!(
                    "{listener} listens on one family; any user may take {other}:{port}{}",
                    if option.is_empty() { "" } else { " with V6ONLY" }
                ),
                format!("lastack why {other}:{port}{option} --uid 65534"),
            )
        }
        Problem::Overlap { address } => (
            format!("ALARM: listeners of different users overlap on {address}"),
            format!("lastack why {address}"),
        ),
    };
    page.item(2, "- ", &text);
    page.command(6, &next);
}

/// The processes that hold any of these sockets, each once.
fn names(inodes: &[Inode], holders: &[Holder]) -> Vec<String> {
    let holds = |holder: &&Holder| inodes.contains(&holder.inode);
    let mut names: Vec<String> =
        holders.iter().filter(holds).map(|holder| phrase::process(&holder.process)).collect();
    names.sort();
    names.dedup();
    names
}

fn listeners(page: &mut Page, overview: &Overview, holders: &[Holder]) {
    page.heading("Listening");
    if overview.listeners.is_empty() {
        page.line(2, "nothing");
    }
    for group in &overview.listeners {
        let owner = group
            .inodes
            .iter()
            .flat_map(|inode| holders.iter().filter(move |holder| holder.inode == *inode))
            .map(|holder| phrase::process(&holder.process))
            .next();
        let uid = || group.example.uid.map_or_else(String::new, |uid| format!("uid {uid}"));
        let owner = owner.unwrap_or_else(uid);
        page.item(
            2,
            &format!("{:<24}", group.example.local.to_string()),
            &format!("{}, {owner}", exposure(group)),
        );
    }
}

/// Who can reach it.
fn exposure(group: &SocketGroup) -> &'static str {
    let ip = group.example.local.ip();
    match (group.example.family, group.example.v6only) {
        _ if ip.to_canonical().is_loopback() => "this host only",
        (Family::V4, _) if ip.is_unspecified() => "every IPv4 address",
        (Family::V6, Truth::Yes) if ip.is_unspecified() => "every IPv6 address",
        (Family::V6, Truth::No | Truth::Unknown) if ip.is_unspecified() => {
            "every address, IPv4 too"
        }
        _ => "this address",
    }
}

fn ending(page: &mut Page, overview: &Overview) {
    let ending = [
        State::FinWait1,
        State::FinWait2,
        State::CloseWait,
        State::Closing,
        State::LastAck,
        State::TimeWait,
    ];
    let counts: Vec<String> = ending
        .iter()
        .filter_map(|state| overview.states.get(state).map(|count| format!("{count} {state}")))
        .collect();
    page.heading("Ending");
    if counts.is_empty() {
        page.line(2, "no connection");
    } else {
        page.line(2, &counts.join(", "));
    }
    if overview.orphans > 0 {
        page.line(
            2,
            &format!("{} of them closed by their program and not answered yet", overview.orphans),
        );
    }
}

fn time_waits(page: &mut Page, overview: &Overview, holders: &[Holder]) {
    if !overview.destinations.is_empty() {
        page.heading("TIME_WAIT toward (this side closes first)");
    }
    for destination in &overview.destinations {
        let strain = match destination.strain {
            Strain::Harmless => "harmless",
            Strain::NearLimit => "near the limit of local ports",
            Strain::Spent => "no local port is left",
        };
        let makers = names(&destination.live, holders);
        let likely = if makers.is_empty() {
            String::new()
        } else {
            format!(
                ", likely made by {} (inferred: it has connections there now)",
                makers.join("; ")
            )
        };
        let text = format!("{} ({strain}){likely}", destination.time_waits);
        page.item(2, &format!("{:<24}", destination.address.to_string()), &text);
    }
    if !overview.served.is_empty() {
        page.heading("TIME_WAIT of servers here (harmless to clients)");
    }
    for (port, count) in &overview.served {
        page.item(2, &format!("port {port:<19}"), &count.to_string());
    }
}
