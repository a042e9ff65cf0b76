//! Answers for programs: one JSON object a line, its schema and version named in it.

use crate::exit::Exit;
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

/// The line for one explanation.
pub fn why(explanation: &Explanation, exit: Exit) -> String {
    line(&Why { schema: "lastack.why/1", exit: exit.code(), explanation })
}

/// The line for one outgoing connection.
pub fn connect(connection: &Connection, exit: Exit) -> String {
    line(&Connect { schema: "lastack.connect/1", exit: exit.code(), connection })
}

/// One object on a line of its own.
pub fn line(object: &impl Serialize) -> String {
    // Every map key is a string and every number finite, so this cannot fail.
    serde_json::to_string(object).map(|text| text + "\n").unwrap_or_default()
}
