//! Answers for programs: one JSON object a line, its schema and version named in it.

use crate::args::Until;
use crate::exit::Exit;
use crate::waiting::{End, Obstacle, Waited};
use lastack_model::why::{Connection, Explanation};
use serde::Serialize;

/// One answer of `why`.
#[derive(Debug, Serialize)]
struct Why<'a> {
    schema: &'static str,
    exit: u8,
    #[serde(flatten)]
    explanation: &'a Explanation,
}

/// One answer of `why --connect`.
#[derive(Debug, Serialize)]
struct Connect<'a> {
    schema: &'static str,
    exit: u8,
    #[serde(flatten)]
    connection: &'a Connection,
}

/// The answer of `wait`.
#[derive(Debug, Serialize)]
struct Wait<'a> {
    schema: &'static str,
    exit: u8,
    asked: &'a str,
    until: &'static str,
    outcome: &'static str,
    waited_ms: u64,
    looks: u64,
    trials: u64,
    reason: Option<String>,
    explanation: Option<&'a Explanation>,
}

/// The line for one explanation.
pub fn why(explanation: &Explanation, exit: Exit) -> String {
    line(&Why { schema: "lastack.why/1", exit: exit.code(), explanation })
}

/// The line for one outgoing connection.
pub fn connect(connection: &Connection, exit: Exit) -> String {
    line(&Connect { schema: "lastack.connect/1", exit: exit.code(), connection })
}

/// The line for a wait that is over.
pub fn wait(asked: &str, until: Until, waited: &Waited, exit: Exit) -> String {
    let (outcome, explanation, reason) = match &waited.end {
        End::Reached => ("reached", None, None),
        End::Interrupted => ("interrupted", None, None),
        End::Refused(explanation) => ("refused", Some(&**explanation), None),
        End::TimedOut(Obstacle::Sockets(explanation)) => ("timed_out", Some(&**explanation), None),
        End::TimedOut(Obstacle::NobodyListens) => {
            ("timed_out", None, Some("nobody listens".to_owned()))
        }
        End::TimedOut(Obstacle::NobodyAnswers(reason)) => {
            ("timed_out", None, Some(reason.join("; ")))
        }
    };
    line(&Wait {
        schema: "lastack.wait/1",
        exit: exit.code(),
        asked,
        until: until.word(),
        outcome,
        waited_ms: u64::try_from(waited.time.as_millis()).unwrap_or(u64::MAX),
        looks: waited.looks,
        trials: waited.trials,
        reason,
        explanation,
    })
}

/// One object on a line of its own.
pub fn line(object: &impl Serialize) -> String {
    // Every map key is a string and every number finite, so this cannot fail.
    serde_json::to_string(object).map(|text| text + "\n").unwrap_or_default()
}
