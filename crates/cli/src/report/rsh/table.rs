//! The table at the end: a row for each host that failed, or for all, and the sum.

use super::Plan;
use super::tally::{Counts, Outcome, Tally};
use crate::report::page;
use lastack_rsh::fan::NotRun;
use std::fmt::Write as _;
use std::time::Duration;

/// One row.
struct Row {
    host: String,
    status: String,
    time: String,
    note: String,
}

/// The table, no wider than the terminal.
pub(super) fn table(plan: &Plan, tally: &Tally, all: bool, elapsed: Duration) -> String {
    let rows: Vec<Row> = tally
        .each()
        .filter(|(_, outcome)| all || !is_success(*outcome))
        .map(|(task, outcome)| row(plan, task, outcome))
        .collect();
    let longest = rows.iter().map(|row| row.host.chars().count()).max().unwrap_or(0);
    let width = longest.clamp(4, WIDEST_HOST);
    let mut text = String::new();
    if !rows.is_empty() {
        let _ = writeln!(text, "{:width$}  status     time  note", "host");
    }
    for Row { host, status, time, note } in rows {
        let first = format!("{host:width$}  {status:>6}  {time:>7}  ");
        let rest = " ".repeat(width + 2 + 6 + 2 + 7 + 2);
        let options = textwrap::Options::new(page::width().max(rest.len() + 20))
            .initial_indent(&first)
            .subsequent_indent(&rest);
        for line in textwrap::wrap(if note.is_empty() { " " } else { &note }, options) {
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }
    let _ = writeln!(text, "{}", sum(plan, tally.counts(), elapsed));
    text
}

fn row(plan: &Plan, task: usize, outcome: Option<&Outcome>) -> Row {
    let host = match plan.commands.len() {
        1 => plan.host(task).to_owned(),
        _ => format!("{} #{}", plan.host(task), plan.command(task) + 1),
    };
    let dash = || "-".to_owned();
    let (status, time, notes) = match outcome {
        Some(Outcome::Ended { attempts, report }) => {
            let mut notes = Vec::new();
            if let Err(failure) = &report.result {
                notes.push(failure.to_string());
            }
            if *attempts > 1 {
                notes.push(format!("tried {attempts} times"));
            }
            notes.extend(report.notes.iter().cloned());
            let status = report.result.as_ref().map_or_else(|_| dash(), ToString::to_string);
            (status, seconds(report.elapsed), notes)
        }
        Some(Outcome::NotRun(why)) => (dash(), dash(), vec![words(*why)]),
        None => (dash(), dash(), vec!["not run".into()]),
    };
    let note = notes.join("; ").chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    Row { host, status, time, note }
}

const fn is_success(outcome: Option<&Outcome>) -> bool {
    matches!(outcome, Some(Outcome::Ended { report, .. }) if matches!(report.result, Ok(0)))
}

fn words(why: NotRun) -> String {
    match why {
        NotRun::Stopped => "not run: stopped first".into(),
        NotRun::TimedOut => "not run: the time was over first".into(),
        NotRun::After { .. } => "not run: a command before it could not be started there".into(),
    }
}

fn sum(plan: &Plan, counts: Counts, elapsed: Duration) -> String {
    let tasks = plan.labels.len() * plan.commands.len();
    let what = match (plan.commands.len(), tasks) {
        (1, 1) => "host",
        (1, _) => "hosts",
        _ => "commands",
    };
    let parts = [
        (counts.failed, "failed"),
        (counts.without_status, "without a status"),
        (counts.not_run, "not run"),
    ];
    let mut text = format!("{tasks} {what}: {} succeeded", counts.succeeded);
    for (count, what) in parts.into_iter().filter(|(count, _)| *count > 0) {
        let _ = write!(text, ", {count} {what}");
    }
    let _ = write!(text, "; {}", seconds(elapsed));
    text
}

fn seconds(time: Duration) -> String {
    if time < Duration::from_secs(1000) {
        format!("{:.1} s", time.as_secs_f64())
    } else {
        format!("{} s", time.as_secs())
    }
}

const WIDEST_HOST: usize = 32;
