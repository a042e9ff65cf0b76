//! The answer of `check replay` on paper: the counts, what differs and why, and where a script fails.

use crate::exit::Exit;
use crate::report::page::{Page, Tone};
use crate::verdicts::Difference;
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

impl Judged {
    /// The verdict in a word, with the names of switches: as it stands in a table.
    pub fn in_short(&self) -> String {
        match &self.verdict {
            Ok(Verdict::Deviation(names)) => format!("{}:{}", word(&self.verdict), names.join("+")),
            verdict => word(verdict).to_owned(),
        }
    }

    /// The exit code that it alone would give.
    pub const fn exit(&self) -> Exit {
        match &self.verdict {
            Ok(Verdict::Pass | Verdict::Deviation(_)) => Exit::Yes,
            Ok(Verdict::Fail(_)) => Exit::No,
            Ok(Verdict::Skipped(_)) => Exit::Partly,
            Err(_) => Exit::Error,
        }
    }
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

/// What differs from a table of expected verdicts.
pub fn differences(page: &mut Page, differences: &[Difference], table: &str) {
    if differences.is_empty() {
        page.heading("Expected");
        page.line(2, &format!("Every verdict is the one in {table}."));
        return;
    }
    page.heading(&format!("Other than in {table}"));
    for one in differences {
        let name = &one.name;
        page.item(
            2,
            "",
            &match (&one.expected, &one.got) {
                (Some(expected), Some(got)) => format!("{name}: {got}, expected {expected}"),
                (Some(expected), None) => {
                    format!("{name}: there is no such script, expected {expected}")
                }
                (None, got) => {
                    format!("{name}: {}, not in the table", got.as_deref().unwrap_or("nothing"))
                }
            },
        );
    }
}

/// How many there are of each kind.
pub(super) fn counted<'a>(judged: impl IntoIterator<Item = &'a Judged>) -> Counts {
    let mut counts = [0; KINDS.len()];
    for one in judged {
        let word = word(&one.verdict);
        let kind = KINDS.iter().position(|kind| *kind == word);
        counts[kind.unwrap_or(0)] += 1;
    }
    counts
}

/// The kind of a verdict.
pub(super) const fn word(verdict: &Result<Verdict, Error>) -> &'static str {
    match verdict {
        Ok(Verdict::Pass) => KINDS[0],
        Ok(Verdict::Deviation(_)) => KINDS[1],
        Ok(Verdict::Fail(_)) => KINDS[2],
        Ok(Verdict::Skipped(_)) => KINDS[3],
        Err(_) => KINDS[4],
    }
}

fn shown(verdict: &Result<Verdict, Error>) -> String {
    match verdict {
        Ok(Verdict::Deviation(names)) => format!("differs: {}", names.join(" and ")),
        Ok(verdict) => verdict.to_string(),
        Err(error) => format!("cannot be read: {error}"),
    }
}
