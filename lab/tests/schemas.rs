//! What lastack prints as JSON is what docs/schema describes, in every scenario of the book.
//!
//! The published schemas let fields be added. The check here does not: a field that no schema names is a fault.

#[path = "transcripts/scenario.rs"]
mod scenario;
#[path = "schemas/validate.rs"]
mod validate;

use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Every question and the schema of what it answers, those that act last.
const QUESTIONS: [(&str, &str); 31] = [
    ("lastack why 8080 --json", "why.v1"),
    ("lastack why 127.0.0.1:8080 --reuse-address --json", "why.v1"),
    ("lastack why [::]:8080 --v6only --uid 1 --no-trial-bind --json", "why.v1"),
    ("lastack why 192.0.2.1:80 udp/8080 --json", "why.v1"),
    ("lastack why --connect 127.0.0.1:5432 --sample 1ms --json", "connect.v1"),
    ("lastack why --connect 127.0.0.1:300 --from 127.0.0.1:1010 --json", "connect.v1"),
    ("lastack wait 8080 --timeout 0 --json", "wait.v1"),
    ("lastack wait 192.0.2.1:80 --json", "wait.v1"),
    ("lastack wait 8080 --until listening --timeout 0 --json", "wait.v1"),
    ("lastack wait 8080 --until connectable --timeout 0 --json", "wait.v1"),
    ("lastack probe 8080 --dry-run --json", "probe.v1"),
    ("lastack probe 8080 --patience 50ms --json 2>/mnt/talk", "probe.v1"),
    ("lastack probe http://127.0.0.1:8080/ --patience 50ms --json 2>/mnt/talk", "probe.v1"),
    ("lastack probe https://127.0.0.1:8443/big --dry-run --json", "probe.v1"),
    ("lastack probe https://127.0.0.1:8443/big --patience 50ms --json 2>/mnt/talk", "probe.v1"),
    ("lastack --json", "overview.v1"),
    ("lastack tune --os all --json", "tune.v1"),
    ("lastack tune tcp_fin_timeout=30 tcp_timestamps=0 --json", "tune.v1"),
    (
        "lastack tune tcp_fin_timeout=30 --persist --yes --state-dir /srv --config-dir /srv --json",
        "tune.v1",
    ),
    ("lastack tune --undo --state-dir /srv --config-dir /srv --json", "tune.v1"),
    (
        "lastack why 8080 --save-facts /mnt/facts >/mnt/answer; tr -d '\\n' </mnt/facts; echo",
        "facts.v1",
    ),
    ("lastack free 8080 --dry-run --json", "free.v1"),
    ("lastack free 8080 --if-unit web --yes --stop --json", "free.v1"),
    ("setpriv --bounding-set=-net_admin lastack free 8080 --yes --json", "free.v1"),
    ("lastack close --local :8080 --dry-run --json", "close.v1"),
    ("setpriv --bounding-set=-net_admin lastack close --peer 127.0.0.1 --yes --json", "close.v1"),
    (
        "lastack close --peer 127.0.0.1 --state established --state close-wait --yes --json",
        "close.v1",
    ),
    ("lastack check cells --model-only --against rfc9293 --state closed --json", "check-cells.v1"),
    ("lastack check cells --state time-wait --segment syn --json", "check-cells.v1"),
    ("lastack check stories reset-by-abort a-listener-connects-itself --json", "check-stories.v1"),
    // From here on nothing is as it was.
    ("lastack free 8080 --yes --kill --grace 100ms --json", "free.v1"),
];

#[test]
fn json_answers_in_every_scenario_follow_their_schemas() {
    lastack_lab::privilege::require_root();
    let questions: Vec<&str> = QUESTIONS.iter().map(|(question, _)| *question).collect();
    let (mut faults, mut seen) = (Vec::new(), BTreeSet::new());
    for name in scenario::names() {
        let printed =
            scenario::play(name, &questions).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        let mut expected = None;
        for line in printed.lines() {
            if let Some(question) = line.strip_prefix("$ ") {
                expected = QUESTIONS
                    .iter()
                    .find(|(asked, _)| *asked == question)
                    .map(|(_, schema)| *schema);
                continue;
            }
            let schema = expected.expect("an answer follows its question");
            seen.insert(schema);
            faults.extend(
                check(schema, line).into_iter().map(|fault| format!("{name}: {schema}: {fault}")),
            );
        }
    }
    assert_eq!(seen.len(), 11, "some schemas were never met: {seen:?}");
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn figures_and_scripts_as_data_follow_their_schemas() {
    let own = workspace().join("crates/model/scripts");
    let own = own.to_str().expect("a path in UTF-8");
    let lost = format!("{own}/a-lost-fin-is-sent-again.pkt");
    let questions: [(&[&str], &str); 14] = [
        (&["figure", "--format", "json"], "figure.v1"),
        (&["figure", "--all", "--live", "--format", "json"], "figure.v1"),
        (&["figure", "matrix", "--format", "json"], "matrix.v1"),
        (&["rsh", "-w", "n[1-2]", "--dry-run", "--json", "true"], "rsh.v1"),
        (&["figure", "matrix", "time-wait", "--format", "json"], "matrix.v1"),
        (&["figure", "pairs", "--format", "json"], "pairs.v1"),
        (&["figure", "ladder", "last-ack-lost", "--format", "json"], "ladder.v1"),
        (&["figure", "ladder", "peer-reboots", "--format", "json"], "ladder.v1"),
        (&["figure", "ladder", "--script", &lost, "--format", "json"], "ladder.v1"),
        (&["check", "replay", "--suite", own, "--json"], "check-replay.v1"),
        (&["check", "replay", "--suite", own, "--against", "rfc9293", "--json"], "check-replay.v1"),
        (&["check", "replay", "--suite", own, "--against", "freebsd", "--json"], "check-replay.v1"),
        (&["check", "tables", "vanishing", "endings", "reach", "--json"], "check-tables.v1"),
        (&["check", "tables", "waits", "--story", "4", "--format", "json"], "ladder.v1"),
    ];
    for (arguments, schema) in questions {
        let run = lastack_lab::program::lastack(arguments);
        assert_eq!(run.stderr, "", "{arguments:?}");
        assert!(!run.stdout.is_empty(), "{arguments:?}");
        for line in run.stdout.lines() {
            let faults = check(schema, line);
            assert!(faults.is_empty(), "{arguments:?}: {}\n{line}", faults.join("\n"));
        }
    }
}

#[test]
fn an_answer_with_a_field_too_many_or_too_few_is_a_fault() {
    let schema: Value = serde_json::json!({
        "type": "object",
        "properties": { "state": { "$ref": "#/$defs/State" }, "ends": { "anyOf": [{ "type": "integer" }, { "type": "null" }] } },
        "required": ["state", "ends"],
        "$defs": { "State": { "oneOf": [{ "const": "LISTEN" }, { "const": "CLOSED" }] } },
    });
    let faults = |text: &str| validate::faults(&schema, &serde_json::from_str(text).expect("JSON"));
    assert_eq!(faults(r#"{"state": "LISTEN", "ends": null}"#), Vec::<String>::new());
    assert_eq!(faults(r#"{"state": "LISTEN"}"#), ["$: no field \"ends\""]);
    assert_eq!(
        faults(r#"{"state": "LISTEN", "ends": 1, "more": 2}"#),
        ["$: no schema for the field \"more\""]
    );
    assert_eq!(
        faults(r#"{"state": "OPEN", "ends": 1}"#),
        ["$.state: \"OPEN\" is none of what may stand here"]
    );
}

fn check(schema: &str, line: &str) -> Vec<String> {
    let file = workspace().join(format!("docs/schema/{schema}.json"));
    let text = fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("failed to read {}: {error}", file.display()));
    let schema: Value = serde_json::from_str(&text).expect("a schema is JSON");
    match serde_json::from_str(line) {
        Ok(answer) => validate::faults(&schema, &answer),
        Err(error) => vec![format!("{line:?} is no JSON: {error}")],
    }
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace above lab/")
}
