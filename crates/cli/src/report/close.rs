//! Which connections are to be ended, and what came of it.

use super::page::{Page, Tone};
use super::{phrase, plan as paper};
use crate::carry::Done;
use crate::consent::Leave;
use lastack_model::facts::{Host, Unseen};
use lastack_model::plan::Plan;
use lastack_model::stop::Actor;
use lastack_model::why::Conflict;
use serde::Serialize;

/// One answer of `close`.
#[derive(Debug, Serialize)]
pub struct Closed<'a> {
    /// The format and its version.
    pub schema: &'static str,
    /// The exit code.
    pub exit: u8,
    /// What was selected, alike ones together; no bind is meant, so `against` is empty.
    pub connections: &'a [Conflict],
    /// What was planned.
    pub plan: &'a Plan,
    /// What was done, in order.
    pub done: &'a [Done],
    /// What a look afterwards showed; none where nothing was done, or where it failed.
    pub after: Option<After>,
    /// What could not be seen.
    pub unseen: &'a [Unseen],
}

/// What is true after the deed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct After {
    /// How many of the selected connections are still there.
    pub left: u64,
    /// How many others match now: made since, or grown into it.
    pub others: u64,
}

/// Writes what was selected, and the plan.
pub fn before(
    page: &mut Page,
    connections: &[Conflict],
    plan: &Plan,
    host: &Host,
    actor: &Actor,
    hidden: &[Unseen],
) {
    let count: u64 = connections.iter().map(|connection| connection.sockets.count).sum();
    match count {
        0 => page.verdict(Tone::Good, "No connection matches."),
        1 => page.verdict(Tone::Mixed, "1 connection matches."),
        n => page.verdict(Tone::Mixed, &format!("{n} connections match.")),
    }
    for connection in connections.iter().take(SHOWN) {
        page.item(2, "- ", &line(connection, host, actor));
    }
    if let Some(more @ 1..) = connections.len().checked_sub(SHOWN) {
        page.item(2, "- ", &format!("and {more} more groups (--json lists all)"));
    }
    paper::write(page, plan, connections);
    if !hidden.is_empty() {
        page.heading("Not seen");
        unseen(page, hidden);
    }
    if count > 0 {
        page.line(0, "");
    }
}

fn line(connection: &Conflict, host: &Host, actor: &Actor) -> String {
    let holders = connection.holders.iter().take(HOLDERS_SHOWN);
    let holders: Vec<String> = holders.map(|h| phrase::process(&h.process)).collect();
    let who = match (holders.as_slice(), connection.holders.len().checked_sub(HOLDERS_SHOWN)) {
        ([], _) if connection.role.is_unheld() => "no process".to_owned(),
        ([], _) => "no visible process".to_owned(),
        (some, Some(more @ 1..)) => format!("{} and {more} more", some.join("; ")),
        (some, _) => some.join("; "),
    };
    let until = phrase::lifetime(connection.lifetime, host.taken_at_ms);
    let sockets = phrase::sockets(&connection.sockets);
    format!("{sockets}: {who}{}; until {until}", ours(connection, actor))
}

/// A word of warning where it may be the connection that one types over.
fn ours(connection: &Conflict, actor: &Actor) -> String {
    let mut pids = connection.holders.iter().map(|holder| holder.process.pid);
    match pids.find(|pid| actor.is_or_descends_from(*pid)) {
        Some(pid) => format!(" (lastack was started from pid {pid})"),
        None => String::new(),
    }
}

/// Writes that nothing was done, and how to have it done.
pub fn undone(page: &mut Page, plan: &Plan, leave: Leave) {
    if !plan.steps.is_empty() {
        let how = match leave {
            Leave::Ask => "",
            Leave::DryRun | Leave::Flags { .. } => {
                " To do it: add --yes, or run it in a terminal, where it asks."
            }
        };
        page.line(0, &format!("Nothing was done.{how}"));
    }
}

/// Writes what is left of so many.
pub fn after(page: &mut Page, after: After, selected: u64) {
    match (after.left, selected) {
        (0, 1) => page.verdict(Tone::Good, "It has ended."),
        (0, n) => page.verdict(Tone::Good, &format!("All {n} have ended.")),
        (left, n) => page.verdict(Tone::Bad, &format!("{left} of {n} are still there.")),
    }
    match after.others {
        0 => {}
        1 => page.line(0, "1 other connection matches now."),
        n => page.line(0, &format!("{n} other connections match now.")),
    }
}

/// Writes what could not be seen.
pub fn unseen(page: &mut Page, hidden: &[Unseen]) {
    for Unseen { what, why, remedy } in hidden {
        page.item(2, "- ", &format!("{what}: {why} ({remedy})"));
    }
}

const SHOWN: usize = 20;
const HOLDERS_SHOWN: usize = 2;
