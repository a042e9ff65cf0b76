//! Which connections are to be ended, and what came of it.

use super::page::{Page, Tone};
use super::{phrase, plan as paper};
use crate::carry::Done;
use crate::consent::Leave;
use lastack_model::facts::{Host, Unseen};
use lastack_model::plan::Plan;
use lastack_model::why::Conflict;
use serde::Serialize;

/// One answer of `close`.
#[derive(Debug, Serialize)]
pub struct Closed<'a> {
    /// The format and its version.
    pub schema: &'static str,
    /// The exit code.
    pub exit: u8,
    /// What was selected.
    pub connections: &'a [Conflict],
    /// What was planned.
    pub plan: &'a Plan,
    /// What was done, in order.
    pub done: &'a [Done],
    /// What could not be seen.
    pub unseen: &'a [Unseen],
}

/// Writes what was selected, and the plan.
pub fn before(page: &mut Page, connections: &[Conflict], plan: &Plan, host: &Host) {
    let count: u64 = connections.iter().map(|connection| connection.sockets.count).sum();
    match count {
        0 => page.verdict(Tone::Good, "No connection matches."),
        1 => page.verdict(Tone::Mixed, "1 connection matches."),
        n => page.verdict(Tone::Mixed, &format!("{n} connections match.")),
    }
    for connection in connections.iter().take(SHOWN) {
        page.item(2, "- ", &line(connection, host));
    }
    if let Some(more @ 1..) = connections.len().checked_sub(SHOWN) {
        page.item(2, "- ", &format!("and {more} more groups (--json lists all)"));
    }
    paper::write(page, plan, connections);
    if count > 0 {
        page.line(0, "");
    }
}

fn line(connection: &Conflict, host: &Host) -> String {
    let holders: Vec<String> =
        connection.holders.iter().take(2).map(|h| phrase::process(&h.process)).collect();
    let who = match holders.as_slice() {
        [] if connection.role.is_unheld() => "no process".to_owned(),
        [] => "no visible process".to_owned(),
        some => some.join("; "),
    };
    let until = phrase::lifetime(connection.lifetime, host.taken_at_ms);
    format!("{}: {who}; until {until}", phrase::sockets(&connection.sockets))
}

/// Writes how it ended.
pub fn after(page: &mut Page, plan: &Plan, done: &[Done], leave: Leave) {
    if !plan.steps.is_empty() && done.is_empty() {
        let how = match leave {
            Leave::Ask => "",
            Leave::DryRun | Leave::Flags { .. } => {
                " To do it: add --yes, or run it in a terminal, where it asks."
            }
        };
        page.line(0, &format!("Nothing was done.{how}"));
    }
}

const SHOWN: usize = 20;
