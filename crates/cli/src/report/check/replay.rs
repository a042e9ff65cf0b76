//! The answer of `check replay` on paper: the counts, what differs and why, and where a script fails.

use crate::report::page::{Page, Tone};
use lastack_model::script::Error;
use lastack_model::script::replay::Verdict;
use std::collections::BTreeMap;

/// A script and what became of it.
#[derive(Debug)]
pub struct Judged {
    /// Its file.
    pub name: String,
    /// The verdict, or why it could not be read.
    pub verdict: Result<Verdict, Error>,
}

/// How much is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Detail {
    /// The verdict on each script.
    Each,
    /// How many there are of each verdict, by directory and by reason, and each failure.
    Counts,
    /// Both.
    CountsAndEach,
}

/// The kinds of verdict, in the order in which they are counted.
const KINDS: [&str; 5] = ["pass", "differ", "fail", "skipped", "unreadable"];

type Counts = [usize; KINDS.len()];

/// Writes the answer.
pub fn write(page: &mut Page, judged: &[Judged], against: &str, detail: Detail) {
    let counts = counted(judged);
    page.verdict(tone(&counts), &headline(&counts, judged.len(), against));
    if detail != Detail::Counts {
        page.heading("Scripts");
        for one in judged {
            page.item(2, "", &format!("{}: {}", one.name, shown(&one.verdict)));
        }
    }
    if detail == Detail::Each {
        return;
    }
    reasons(page, judged);
    failures(page, judged);
    directories(page, judged);
}

fn headline(counts: &Counts, all: usize, against: &str) -> String {
    let of_a_kind = |(kind, count): (&&str, &usize)| match (*kind, *count) {
        (_, 0) => None,
        ("differ", count) => Some(format!("{count} differ as named")),
        ("unreadable", count) => Some(format!("{count} cannot be read")),
        ("fail", 1) => Some("1 fails".to_owned()),
        ("pass", 1) => Some("1 passes".to_owned()),
        (kind, count) => Some(format!("{count} {kind}")),
    };
    let parts: Vec<String> = KINDS.iter().zip(counts).filter_map(of_a_kind).collect();
    let scripts = if all == 1 { "script" } else { "scripts" };
    format!("{all} {scripts} against {against}: {}.", parts.join(", "))
}

fn tone(counts: &Counts) -> Tone {
    match counts {
        [_, _, 0, 0, 0] => Tone::Good,
        [_, _, 0, _, 0] => Tone::Mixed,
        _ => Tone::Bad,
    }
}

/// Switches and causes of skipping, the most frequent first.
fn reasons(page: &mut Page, judged: &[Judged]) {
    let differ = |verdict: &Verdict| match verdict {
        Verdict::Deviation(names) => Some(names.join(" and ")),
        _ => None,
    };
    let skipped = |verdict: &Verdict| match verdict {
        // The place is each script's own.
        Verdict::Skipped(reason) => Some(
            reason
                .rsplit_once(" (line")
                .map_or_else(|| reason.clone(), |(reason, _)| reason.to_owned()),
        ),
        _ => None,
    };
    table(page, "Differ in", judged, &differ);
    table(page, "Skipped for", judged, &skipped);
}

fn table(
    page: &mut Page,
    heading: &str,
    judged: &[Judged],
    reason: &dyn Fn(&Verdict) -> Option<String>,
) {
    let mut rows: BTreeMap<String, usize> = BTreeMap::new();
    for reason in judged.iter().filter_map(|one| reason(one.verdict.as_ref().ok()?)) {
        *rows.entry(reason).or_default() += 1;
    }
    if rows.is_empty() {
        return;
    }
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    page.heading(heading);
    for (reason, count) in rows {
        page.item(2, &format!("{count:>4}  "), &reason);
    }
}

fn failures(page: &mut Page, judged: &[Judged]) {
    let told = |one: &&Judged| !matches!(&one.verdict, Ok(verdict) if !matches!(verdict, Verdict::Fail(_)));
    let all: Vec<&Judged> = judged.iter().filter(told).collect();
    if all.is_empty() {
        return;
    }
    page.heading("Fail, or cannot be read");
    for one in all {
        page.item(2, "", &format!("{}: {}", one.name, shown(&one.verdict)));
    }
}

fn directories(page: &mut Page, judged: &[Judged]) {
    let mut rows: BTreeMap<&str, Vec<&Judged>> = BTreeMap::new();
    for one in judged {
        let directory = one.name.rsplit_once('/').map_or(".", |(directory, _)| directory);
        rows.entry(directory).or_default().push(one);
    }
    page.heading("By directory");
    let head = KINDS.map(|kind| format!("{kind:>11}")).concat();
    page.command(0, &format!("{head}  directory"));
    for (directory, all) in rows {
        let counts = counted(all.iter().copied()).map(|count| format!("{count:>11}")).concat();
        page.command(0, &format!("{counts}  {directory}"));
    }
}

fn counted<'a>(judged: impl IntoIterator<Item = &'a Judged>) -> Counts {
    let mut counts = [0; KINDS.len()];
    for one in judged {
        let kind = match &one.verdict {
            Ok(Verdict::Pass) => 0,
            Ok(Verdict::Deviation(_)) => 1,
            Ok(Verdict::Fail(_)) => 2,
            Ok(Verdict::Skipped(_)) => 3,
            Err(_) => 4,
        };
        counts[kind] += 1;
    }
    counts
}

fn shown(verdict: &Result<Verdict, Error>) -> String {
    match verdict {
        Ok(Verdict::Deviation(names)) => format!("differs: {}", names.join(" and ")),
        Ok(verdict) => verdict.to_string(),
        Err(error) => format!("cannot be read: {error}"),
    }
}
