//! What helps, in words and as commands.

use super::page::Page;
use super::phrase;
use crate::typed::Typed;
use lastack_model::facts::Holder;
use lastack_model::stop::{self, Around, Hindrance};
use lastack_model::why::{Certainty, Explanation, Harm, OptionChange, Remedy, Role, Step};
use std::net::SocketAddr;

/// Writes what helps, and the commands that do it.
pub(super) fn write(page: &mut Page, explanation: &Explanation, typed: Typed<'_>) {
    if explanation.remedies.is_empty() {
        return;
    }
    page.heading("What helps, least harm first");
    for (at, remedy) in explanation.remedies.iter().enumerate() {
        let text = remedy_text(remedy, explanation);
        page.item(2, &format!("{}. ", at + 1), &text);
        match commands(remedy, explanation, typed) {
            Ok(commands) => commands.iter().for_each(|command| page.command(5, command)),
            Err(hindrances) => hindrances.iter().for_each(|why| page.line(5, &hindered(why))),
        }
    }
}

fn remedy_text(remedy: &Remedy, explanation: &Explanation) -> String {
    let steps: Vec<String> = remedy.steps.iter().map(|step| step_text(step, explanation)).collect();
    let sure = match &remedy.certainty {
        Certainty::Certain => String::new(),
        Certainty::Tried => " (tried: it works)".into(),
        Certainty::DependsOn(hidden) => {
            let what: Vec<&str> = hidden.iter().map(|hidden| hidden.words()).collect();
            format!(" (works depending on {})", what.join(", and on "))
        }
    };
    let harm = match remedy.harm {
        Harm::Nothing | Harm::Waiting => "",
        Harm::Remains => " [stops nobody]",
        Harm::Connections => " [ends connections]",
        Harm::Program => " [stops a program]",
    };
    format!("{}{sure}{harm}", steps.join(", then "))
}

fn step_text(step: &Step, explanation: &Explanation) -> String {
    match step {
        Step::SetOptions(change) => format!("set {} on the new socket", options(*change)),
        Step::UseAddress(address) => format!("bind {address} instead, which is free"),
        Step::NameInterface => "name the interface, as in [fe80::1%eth0]:8080".into(),
        Step::GainPrivilege => {
            "give the program CAP_NET_BIND_SERVICE, or lower net.ipv4.ip_unprivileged_port_start"
                .into()
        }
        Step::MakeAddressLocal { own } => {
            let own: Vec<String> = own.iter().map(ToString::to_string).collect();
            format!(
                "use an address of this host ({}), add the address, or set IP_FREEBIND on the new socket",
                own.join(", ")
            )
        }
        Step::Wait { least_ms, most_ms, .. } => format!(
            "wait {}, at most {} (until {})",
            phrase::duration(*least_ms),
            phrase::duration(*most_ms),
            phrase::clock(explanation.taken_at_ms + least_ms)
        ),
        Step::Destroy { conflicts } => {
            format!("as root, drop {}", named(conflicts, explanation))
        }
        Step::Stop { conflicts } => format!("stop what holds {}", named(conflicts, explanation)),
    }
}

fn options(change: OptionChange) -> String {
    let names = [
        (change.reuse_address, "SO_REUSEADDR"),
        (change.reuse_port, "SO_REUSEPORT"),
        (change.v6only, "IPV6_V6ONLY (it then serves IPv6 alone)"),
    ];
    let set: Vec<&str> = names.iter().filter_map(|(set, name)| set.then_some(*name)).collect();
    set.join(" and ")
}

/// The sockets of these conflicts, each local address once.
fn named(conflicts: &[usize], explanation: &Explanation) -> String {
    let mut places: Vec<(SocketAddr, Vec<&str>, u64)> = Vec::new();
    let listed = conflicts.iter().map(|at| &explanation.conflicts[*at]);
    // What waits in a listener's queue ends with the listener and needs no word.
    for conflict in listed.filter(|conflict| conflict.role != Role::Queued || conflicts.len() == 1)
    {
        let group = &conflict.sockets;
        let state = group.example.state.name();
        match places.iter_mut().find(|(place, ..)| *place == group.example.local) {
            Some((_, states, count)) => {
                *count += group.count;
                if !states.contains(&state) {
                    states.push(state);
                }
            }
            None => places.push((group.example.local, vec![state], group.count)),
        }
    }
    let phrases: Vec<String> = places
        .iter()
        .map(|(place, states, count)| match count {
            1 => format!("the {} socket on {place}", list(states)),
            n => format!("the {n} {} sockets on {place}", list(states)),
        })
        .collect();
    phrases.join(" and ")
}

/// `A`, `A and B`, `A, B and C`.
fn list(words: &[&str]) -> String {
    match words {
        [all @ .., last] if !all.is_empty() => format!("{} and {last}", all.join(", ")),
        _ => words.concat(),
    }
}

/// The commands that take the steps, where they are known; what stands against stopping a program.
fn commands(
    remedy: &Remedy,
    explanation: &Explanation,
    typed: Typed<'_>,
) -> Result<Vec<String>, Vec<Hindrance>> {
    let change = remedy.steps.iter().find_map(|step| match step {
        Step::SetOptions(change) => Some(*change),
        _ => None,
    });
    let change = change.unwrap_or_default();
    let mut commands = Vec::new();
    for step in &remedy.steps {
        match step {
            Step::Wait { .. } => commands.push(typed.command("wait", change, &[])),
            Step::Destroy { .. } => {
                commands.push(format!("sudo {}", typed.command("free", change, &["--yes"])));
            }
            Step::Stop { conflicts } => commands.extend(stop_commands(conflicts, explanation)?),
            Step::SetOptions(_)
            | Step::UseAddress(_)
            | Step::NameInterface
            | Step::GainPrivilege
            | Step::MakeAddressLocal { .. } => {}
        }
    }
    Ok(commands)
}

fn stop_commands(
    conflicts: &[usize],
    explanation: &Explanation,
) -> Result<Vec<String>, Vec<Hindrance>> {
    let holders = conflicts.iter().flat_map(|at| &explanation.conflicts[*at].holders);
    let holders: Vec<Holder> = holders.cloned().collect();
    let stops = stop::stops(&holders, &Around::default())?;
    Ok(stops.iter().map(|stop| stop.means.command(&stop.processes)).collect())
}

fn hindered(why: &Hindrance) -> String {
    format!("{}: {}", why.words(), why.advice())
}
