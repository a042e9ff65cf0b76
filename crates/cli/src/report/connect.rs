//! Why a connection can or cannot be made, for people.

use super::page::{Page, Tone};
use super::phrase;
use lastack_model::facts::{Host, SocketGroup};
use lastack_model::lifetime::lifetime;
use lastack_model::ports::{Budget, Strain};
use lastack_model::state::State;
use lastack_model::why::{Connection, Sample, Tuple, Verdict};
use std::time::Duration;

/// Writes the connection.
pub fn write(page: &mut Page, connection: &Connection, host: &Host) {
    match (&connection.tuple, &connection.budget) {
        (Some(tuple), _) => write_tuple(page, connection, tuple, host),
        (None, Some(budget)) => write_budget(page, connection, budget, host),
        (None, None) => {}
    }
}

fn write_tuple(page: &mut Page, connection: &Connection, tuple: &Tuple, host: &Host) {
    let (from, to) = (connection.from, connection.destination);
    let (tone, text) = match tuple {
        Tuple::Free => (Tone::Good, format!("{from} -> {to}: the four-tuple is free.")),
        Tuple::Recycled(_) => {
            (Tone::Good, format!("{from} -> {to}: taken by a closed connection that gives way."))
        }
        Tuple::Taken(_) => {
            (Tone::Bad, format!("{from} -> {to}: connect fails with EADDRNOTAVAIL."))
        }
        Tuple::DependsOnTimestamps(_) => (
            Tone::Mixed,
            format!("{from} -> {to}: it depends on whether both ends use timestamps."),
        ),
    };
    page.verdict(tone, &text);
    page.line(2, &bind_line(connection));
    let (Tuple::Recycled(group) | Tuple::Taken(group) | Tuple::DependsOnTimestamps(group)) = tuple
    else {
        page.line(2, "no connection between these two addresses and ports is left");
        return;
    };
    write_occupant(page, group, host);
    if matches!(tuple, Tuple::Recycled(_)) {
        return;
    }
    page.heading("What helps, least harm first");
    for (at, help) in tuple_help(tuple).iter().enumerate() {
        page.item(2, &format!("{}. ", at + 1), help);
    }
    page.heading("What does not help");
    page.item(
        2,
        "- ",
        "SO_REUSEADDR: it lets the port be bound again, not the same four-tuple be used",
    );
    page.item(2, "- ", "tcp_tw_reuse: it counts only where the kernel chooses the local port");
}

/// The bind comes before the connect, and has rules of its own.
fn bind_line(connection: &Connection) -> String {
    let from = connection.from;
    match connection.bind {
        None | Some(Verdict::Free) => format!("binding {from} first: nothing stands in the way"),
        Some(Verdict::InUse | Verdict::Refused) => {
            format!("binding {from} first: fails with these options; `lastack why {from}` says why")
        }
        Some(Verdict::Partly | Verdict::Undecided) => {
            format!("binding {from} first: not decided; `lastack why {from}` says why")
        }
    }
}

fn write_occupant(page: &mut Page, group: &SocketGroup, host: &Host) {
    page.heading(&phrase::sockets(group));
    let why = match group.example.state {
        State::TimeWait | State::FinWait2 => {
            "the earlier connection closed first on this side; the kernel replaces it only if it used timestamps \
             (__inet_check_established)"
        }
        _ => "a connection between the same addresses and ports exists (__inet_check_established)",
    };
    page.item(2, "why    ", why);
    let ends = phrase::lifetime(lifetime(group, host), host.taken_at_ms);
    page.item(2, "until  ", &ends);
}

fn tuple_help(tuple: &Tuple) -> Vec<&'static str> {
    let other = "leave from another local port or address";
    let first = "let the remote side close first, so that no TIME_WAIT stays here";
    match tuple {
        Tuple::DependsOnTimestamps(_) => {
            vec![
                "just connect: with net.ipv4.tcp_timestamps=1 on both ends it works at once",
                other,
                first,
            ]
        }
        Tuple::Taken(_) | Tuple::Recycled(_) | Tuple::Free => vec![other, first],
    }
}

fn write_budget(page: &mut Page, connection: &Connection, budget: &Budget, host: &Host) {
    let to = connection.destination;
    let (tone, text) = match budget.strain() {
        Strain::Harmless => (Tone::Good, format!("{to}: {} local ports are left.", budget.left)),
        Strain::NearLimit => {
            (Tone::Mixed, format!("{to}: only {} local ports are left.", budget.left))
        }
        Strain::Spent => {
            (Tone::Bad, format!("{to}: no local port is left, connect fails with EADDRNOTAVAIL."))
        }
    };
    page.verdict(tone, &text);
    let range = host.sysctls.local_port_range;
    page.line(2, &format!("from {} (chosen by the route)", connection.from.ip()));
    page.heading("Ports");
    page.item(
        2,
        "in the range      ",
        &format!("{} ({} to {}, without reserved ones)", budget.usable, range.low, range.high),
    );
    page.item(2, "to this address   ", &format!("{}{}", budget.toward, by_state(budget)));
    page.item(2, "taken by bind()   ", &format!("{} (connect never chooses these)", budget.bound));
    page.item(2, "left              ", &budget.left.to_string());
    write_rate(page, connection, budget);
    page.heading("What makes more room, by effect");
    for help in budget_help(budget, host) {
        page.item(2, "- ", &help);
    }
}

fn by_state(budget: &Budget) -> String {
    let states: Vec<String> =
        budget.states.iter().map(|(state, n)| format!("{n} {state}")).collect();
    if states.is_empty() { String::new() } else { format!(" ({})", states.join(", ")) }
}

fn write_rate(page: &mut Page, connection: &Connection, budget: &Budget) {
    page.heading("Rate");
    let bears = budget.bearable_per_second;
    page.item(
        2,
        "bearable   ",
        &format!("{bears} new connections a second, when this side closes first"),
    );
    match connection.sample {
        Some(Sample { opened, over_ms }) => {
            let rate = f64::from(opened) / Duration::from_millis(over_ms.max(1)).as_secs_f64();
            let over = phrase::duration(over_ms);
            let text = format!("at least {rate:.1} a second (new local ports in {over})");
            page.item(2, "seen       ", &text);
        }
        None => page.item(2, "seen       ", "not measured (--sample 5s measures it)"),
    }
    let who = if budget.in_state(State::TimeWait) > 0 {
        "this side: its TIME_WAITs are here"
    } else if budget.in_state(State::CloseWait) > 0 {
        "the remote side"
    } else {
        "not visible: nothing to this address is ending"
    };
    page.item(2, "closes first  ", who);
}

fn budget_help(budget: &Budget, host: &Host) -> Vec<String> {
    let mut help = Vec::new();
    if budget.in_state(State::TimeWait) > 0 {
        help.push("keep connections open and use them again: no port is spent at all".to_owned());
        help.push("let the remote side close first: the TIME_WAITs stay there".to_owned());
        if host.sysctls.tw_reuse != 1 {
            help.push("net.ipv4.tcp_tw_reuse=1: a TIME_WAIT older than a second is used again for connect, if both ends use timestamps".to_owned());
        }
    }
    help.push(format!(
        "more source addresses: each brings {} ports (bind it with IP_BIND_ADDRESS_NO_PORT)",
        budget.usable
    ));
    help.push("a wider net.ipv4.ip_local_port_range, 1024 to 65535 at most".to_owned());
    if budget.bound > 0 {
        help.push(
            "IP_BIND_ADDRESS_NO_PORT on clients that bind a source address: they then take no port"
                .to_owned(),
        );
    }
    help
}
