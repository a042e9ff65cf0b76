//! What was in the way, what is to be done, what was done, and what is true now.

use super::page::Page;
use super::{explanation as evidence, plan as paper};
use crate::carry::Done;
use crate::consent::Leave;
use lastack_model::plan::{Consent, Obstacle, Plan};
use lastack_model::why::{Explanation, Verdict};
use serde::Serialize;

/// One answer of `free`.
#[derive(Debug, Serialize)]
pub struct Freed<'a> {
    /// The format and its version.
    pub schema: &'static str,
    /// The exit code that this answer alone would give.
    pub exit: u8,
    /// The address as it was typed.
    pub asked: &'a str,
    /// What was planned.
    pub plan: &'a Plan,
    /// What was done, in order.
    pub done: &'a [Done],
    /// What kept the address from being made usable.
    pub obstacles: &'a [Obstacle],
    /// What is true now.
    pub explanation: &'a Explanation,
}

/// Writes what stands in the way, and the plan.
pub fn before(page: &mut Page, explanation: &Explanation, plan: &Plan) {
    if explanation.verdict != Verdict::Free {
        evidence::write_evidence(page, explanation);
        paper::write(page, plan, &explanation.conflicts);
        let unseen = |obstacle: &Obstacle| matches!(obstacle, Obstacle::HolderUnseen { .. });
        if plan.obstacles.iter().any(unseen) {
            evidence::unseen(page, explanation);
        }
        page.line(0, "");
    }
}

/// Writes what is true now; `leave` when no step of the plan was taken.
pub fn after(
    page: &mut Page,
    explanation: &Explanation,
    plan: &Plan,
    obstacles: &[Obstacle],
    leave: Option<Leave>,
) {
    if let Some(leave) = leave {
        let how = how(plan, leave);
        page.line(0, &format!("Nothing was done.{how}"));
        return;
    }
    evidence::verdict(page, explanation);
    if obstacles != plan.obstacles {
        paper::write_obstacles(page, obstacles, &explanation.conflicts);
    }
}

/// How to have the plan carried out.
fn how(plan: &Plan, leave: Leave) -> String {
    let stops = plan.steps.iter().any(|step| step.consent() == Consent::StopsOwner);
    let flags = if stops { "--yes --stop" } else { "--yes" };
    match leave {
        _ if plan.steps.is_empty() => String::new(),
        Leave::Ask => String::new(),
        Leave::DryRun => format!(" To do it: {flags} instead of --dry-run."),
        Leave::Flags { .. } => {
            format!(" To do it: add {flags}, or run it in a terminal, where it asks.")
        }
    }
}
