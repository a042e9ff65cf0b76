//! Where a fan-out stands: for the line on a terminal, and for somebody who asks by an interrupt.

use super::Plan;
use crate::report::phrase;
use lastack_rsh::fan::Event;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Where it stands.
#[derive(Debug)]
pub struct Standing {
    labels: Vec<String>,
    commands: usize,
    running: HashMap<usize, Instant>,
    ended: usize,
    failed: usize,
    is_interrupted: bool,
}

impl Standing {
    /// At the beginning.
    pub fn new(plan: &Plan) -> Self {
        Self {
            labels: plan.labels.clone(),
            commands: plan.commands.len(),
            running: HashMap::new(),
            ended: 0,
            failed: 0,
            is_interrupted: false,
        }
    }

    /// Somebody interrupted it.
    pub const fn interrupted(&mut self) {
        self.is_interrupted = true;
    }

    /// Whether everything is over that there was to do.
    pub fn is_complete(&self) -> bool {
        self.ended == self.labels.len() * self.commands
    }

    /// Whether somebody interrupted it.
    pub const fn is_interrupted(&self) -> bool {
        self.is_interrupted
    }

    /// All of it in words: who runs, the longest first.
    pub fn words(&self) -> String {
        let mut running: Vec<(Duration, &str)> = self
            .running
            .iter()
            .map(|(task, since)| (since.elapsed(), &*self.labels[task / self.commands]))
            .collect();
        running.sort_by(|one, other| other.cmp(one));
        let named: Vec<String> = running
            .iter()
            .take(MOST_NAMED)
            .map(|(time, host)| {
                format!("{host} ({})", phrase::duration(super::milliseconds(*time)))
            })
            .collect();
        let more = match running.len().saturating_sub(MOST_NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let run = if named.is_empty() {
            "nothing runs".into()
        } else {
            format!("running: {}{more}", named.join(", "))
        };
        format!("{}; {run}. Ctrl-C again within 2 s stops them", self.line())
    }

    /// In one short line.
    pub(super) fn line(&self) -> String {
        let tasks = self.labels.len() * self.commands;
        let failed = match self.failed {
            0 => String::new(),
            failed => format!(" ({failed} failed)"),
        };
        let waiting = tasks - self.ended - self.running.len();
        format!(
            "{} of {tasks} done{failed}, {} running, {waiting} waiting",
            self.ended,
            self.running.len()
        )
    }

    pub(super) fn heed(&mut self, event: &Event) {
        match event {
            Event::Started { task, .. } => {
                self.running.insert(*task, Instant::now());
            }
            Event::Again { task, .. } => {
                self.running.remove(task);
            }
            Event::Ended { task, report, .. } => {
                self.running.remove(task);
                self.ended += 1;
                self.failed += usize::from(!matches!(report.result, Ok(0)));
            }
            Event::NotRun { .. } => {
                self.ended += 1;
                self.failed += 1;
            }
            Event::Wrote(_) | Event::Stopping(_) => {}
        }
    }
}

const MOST_NAMED: usize = 8;
