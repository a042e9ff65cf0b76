//! The answer of `check replay` for programs: a line for each script, and one for all of them.

use super::replay::{Judged, counted, word};
use crate::exit::Exit;
use crate::report::json::line;
use crate::verdicts::Table;
use lastack_model::script::replay::Verdict;
use serde::Serialize;

const SCHEMA: &str = "lastack.check-replay/1";

#[derive(Debug, Serialize)]
struct One<'a> {
    schema: &'static str,
    exit: u8,
    script: &'a str,
    against: &'a str,
    verdict: &'static str,
    switches: &'a [&'static str],
    reason: Option<String>,
    line: Option<u32>,
    column: Option<u32>,
    wanted: Option<&'a str>,
    got: Option<&'a str>,
    table: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct All<'a> {
    schema: &'static str,
    exit: u8,
    against: &'a str,
    scripts: usize,
    pass: usize,
    differ: usize,
    fail: usize,
    skipped: usize,
    unreadable: usize,
    unexpected: Option<usize>,
}

/// The line for a script; `table` is what is expected of it.
pub fn script(judged: &Judged, against: &str, table: Option<&Table>) -> String {
    let mut one = One {
        schema: SCHEMA,
        exit: judged.exit().code(),
        script: &judged.name,
        against,
        verdict: word(&judged.verdict),
        switches: &[],
        reason: None,
        line: None,
        column: None,
        wanted: None,
        got: None,
        table: table.and_then(|table| table.expected(&judged.name, against)),
    };
    match &judged.verdict {
        Ok(Verdict::Pass) => {}
        Ok(Verdict::Deviation(names)) => one.switches = names,
        Ok(Verdict::Skipped(reason)) => one.reason = Some(reason.clone()),
        Ok(Verdict::Fail(failure)) => {
            one.line = Some(failure.place.line);
            one.column = Some(failure.place.column);
            one.wanted = Some(&failure.expected);
            one.got = Some(&failure.got);
        }
        Err(error) => {
            one.line = Some(error.place.line);
            one.column = Some(error.place.column);
            one.reason = Some(error.what.clone());
        }
    }
    line(&one)
}

/// The line for all.
pub fn summary(judged: &[Judged], against: &str, unexpected: Option<usize>, exit: Exit) -> String {
    let [pass, differ, fail, skipped, unreadable] = counted(judged);
    line(&All {
        schema: SCHEMA,
        exit: exit.code(),
        against,
        scripts: judged.len(),
        pass,
        differ,
        fail,
        skipped,
        unreadable,
        unexpected,
    })
}
