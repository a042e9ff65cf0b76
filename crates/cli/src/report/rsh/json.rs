//! Events for programs: one JSON object a line, nothing lost of what the hosts wrote.

use super::lines::Tail;
use super::tally::{End, Tally};
use super::{Plan, milliseconds};
use crate::report::json::line;
use lastack_model::truth::Truth;
use lastack_rsh::fan::{Event, NotRun};
use lastack_rsh::{Cause, Failure, Ran, Source, Stage};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Before anything is started.
pub(super) fn planned(plan: &Plan, dry_run: bool) -> String {
    let commands: Vec<Value> =
        plan.commands.iter().map(|command| Value::Object(octets(command))).collect();
    line(&json!({
        "schema": SCHEMA,
        "event": "planned",
        "dry_run": dry_run,
        "via": plan.via,
        "fanout": plan.fanout,
        "hosts": plan.labels,
        "commands": commands,
    }))
}

/// What happened, unless it is output, which comes as lines.
pub(super) fn event(plan: &Plan, event: &Event) -> Option<String> {
    let (name, task, fields) = match event {
        Event::Started { task, attempt } => ("started", task, json!({ "attempt": attempt })),
        Event::Again { task, failure, after } => {
            let fields = json!({ "failure": failed(failure), "after_ms": milliseconds(*after) });
            ("again", task, fields)
        }
        Event::NotRun { task, why } => ("not_run", task, json!({ "why": word(*why) })),
        // The end comes after the last line, which may have no line end.
        Event::Ended { .. } | Event::Wrote(_) | Event::Stopping(_) => return None,
    };
    Some(of_task(plan, *task, name, fields))
}

/// The end of a task.
pub(super) fn ended(
    plan: &Plan,
    task: usize,
    attempts: u32,
    report: &lastack_rsh::Report,
) -> String {
    let fields = json!({
        "status": report.result.as_ref().ok(),
        "failure": report.result.as_ref().err().map(failed),
        "elapsed_ms": milliseconds(report.elapsed),
        "attempts": attempts,
        "notes": report.notes,
    });
    of_task(plan, task, "ended", fields)
}

/// A line that a command wrote, with its line end if it has one.
pub(super) fn wrote(plan: &Plan, task: usize, source: Source, text: &[u8], tail: Tail) -> String {
    let mut whole = text.to_vec();
    if tail == Tail::Newline {
        whole.push(b'\n');
    }
    let mut fields = octets(&whole);
    let source = match source {
        Source::Stdout => "stdout",
        Source::Stderr => "stderr",
    };
    fields.insert("source".into(), source.into());
    of_task(plan, task, "wrote", Value::Object(fields))
}

/// The last line.
pub(super) fn summary(plan: &Plan, tally: &Tally, elapsed: Duration) -> String {
    let counts = tally.counts();
    let outcome = match tally.end() {
        End::Complete => "complete",
        End::TimedOut => "timed_out",
        End::Interrupted => "interrupted",
    };
    line(&json!({
        "schema": SCHEMA,
        "event": "summary",
        "outcome": outcome,
        "tasks": plan.labels.len() * plan.commands.len(),
        "succeeded": counts.succeeded,
        "failed": counts.failed,
        "without_status": counts.without_status,
        "not_run": counts.not_run,
        "worst": tally.worst(),
        "elapsed_ms": milliseconds(elapsed),
    }))
}

fn of_task(plan: &Plan, task: usize, name: &str, fields: Value) -> String {
    let mut object = Map::new();
    object.insert("schema".into(), SCHEMA.into());
    object.insert("event".into(), name.into());
    object.insert("host".into(), plan.host(task).into());
    object.insert("command".into(), plan.command(task).into());
    if let Value::Object(fields) = fields {
        object.extend(fields);
    }
    line(&object)
}

fn failed(failure: &Failure) -> Value {
    let stage = match failure.stage {
        Stage::Resolve => "resolve",
        Stage::Port => "port",
        Stage::Connect => "connect",
        Stage::SetUp => "set_up",
        Stage::Command => "command",
    };
    let cause = match failure.cause {
        Cause::TimedOut(_) => "timed_out",
        Cause::Refused(_) => "refused",
        Cause::Closed => "closed",
        Cause::Reset => "reset",
        Cause::NotTheProtocol(_) => "not_the_protocol",
        Cause::NoStatus => "no_status",
        Cause::Stopped(_) => "stopped",
        Cause::System(_) => "system",
    };
    let (ran, ended) = match failure.ran {
        Ran::No => ("no", None),
        Ran::Perhaps => ("unknown", None),
        Ran::Yes { ended: Truth::Yes } => ("yes", Some("yes")),
        Ran::Yes { ended: Truth::No } => ("yes", Some("no")),
        Ran::Yes { ended: Truth::Unknown } => ("yes", Some("unknown")),
    };
    json!({ "stage": stage, "cause": cause, "ran": ran, "ended": ended, "words": failure.to_string() })
}

const fn word(why: NotRun) -> &'static str {
    match why {
        NotRun::Stopped => "stopped",
        NotRun::TimedOut => "timed_out",
        NotRun::After { .. } => "not_started_before",
    }
}

/// Octets as `text` where they are UTF-8, else as `base64`.
fn octets(octets: &[u8]) -> Map<String, Value> {
    let (name, value) = match std::str::from_utf8(octets) {
        Ok(text) => ("text", text.to_owned()),
        Err(_) => ("base64", base64(octets)),
    };
    Map::from_iter([(name.to_owned(), Value::String(value))])
}

/// RFC 4648 §4.
fn base64(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len().div_ceil(3) * 4);
    for three in octets.chunks(3) {
        let at = |index: usize| u32::from(three.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4 {
            let index = (bits >> (18 - 6 * digit)) & 0x3f;
            text.push(if digit <= three.len() {
                char::from(ALPHABET[index as usize])
            } else {
                '='
            });
        }
    }
    text
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const SCHEMA: &str = "lastack.rsh/1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_that_are_no_text_are_written_as_rfc_4648_has_it() {
        for (octets, text) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"foob", "Zm9vYg=="),
            (b"\xff\xfe\xfd", "//79"),
        ] {
            assert_eq!(base64(octets), text);
        }
        assert_eq!(octets(b"\xff")["base64"], "/w==");
        assert_eq!(octets(b"a\n")["text"], "a\n");
    }
}
