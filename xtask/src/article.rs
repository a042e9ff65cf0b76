//! `cargo xtask article`: every claim in docs/article.md has a verdict, and a test that proves it or an owner who will.
//!
//! It checks that the named tests exist; that they pass is for `cargo xtask test`.

use crate::step::{self, Failure};
use crate::workspace::Workspace;
use std::fmt;
use std::fs;

const FILE: &str = "docs/article.md";
const HEADER: [&str; 4] = ["claim", "verdict", "command", "test or owner"];
const VERDICTS: &[&str] = &["true", "true then", "refuted"];
/// The parts of lastack, and the work, that may own a claim not yet tested.
const OWNERS: &[&str] = &["graceful", "trace", "hold", "rsh", "figure", "check", "tune"];

/// What is wrong with a line of the table.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Problem {
    line: usize,
    what: String,
}

/// How many claims there are, and how many of them a test proves.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Tally {
    tested: usize,
    planned: usize,
}

enum Proof {
    Tested,
    Planned,
}

pub(crate) fn run() -> Result<(), Failure> {
    let root = Workspace::read()?.root;
    let text = step::read(&root.join(FILE))?;
    let tally = check(&text, |path| fs::read_to_string(root.join(path)).ok())
        .map_err(|problems| Failure::findings("claims without proof:", &problems))?;
    eprintln!("xtask: {FILE}: {} claims tested, {} planned", tally.tested, tally.planned);
    Ok(())
}

/// Judges the text of the page; `source` gives the text of a file, if it exists.
fn check(text: &str, source: impl Fn(&str) -> Option<String>) -> Result<Tally, Vec<Problem>> {
    let (mut tally, mut problems) = (Tally::default(), Vec::new());
    let mut is_in_table = false;
    for (index, line) in text.lines().enumerate() {
        let Some(cells) = cells(line) else {
            is_in_table = false;
            continue;
        };
        let judged = if !is_in_table {
            is_in_table = true;
            judge_header(&cells)
        } else if cells.iter().all(|cell| is_rule(cell)) {
            Ok(())
        } else {
            judge_row(&cells, &source).map(|proof| tally.add(&proof))
        };
        problems.extend(judged.err().map(|what| Problem { line: index + 1, what }));
    }
    if problems.is_empty() && tally == Tally::default() {
        problems.push(Problem { line: 1, what: "no claim at all".into() });
    }
    if problems.is_empty() { Ok(tally) } else { Err(problems) }
}

/// The cells of a table line; `\|` is a bar inside a cell.
fn cells(line: &str) -> Option<Vec<String>> {
    const BAR: &str = "\u{0}";
    let inside = line.trim().strip_prefix('|')?.replace("\\|", BAR);
    let inside = inside.strip_suffix('|').unwrap_or(&inside);
    Some(inside.split('|').map(|cell| cell.replace(BAR, "|").trim().to_owned()).collect())
}

/// Whether a cell is part of the line under a table's header.
fn is_rule(cell: &str) -> bool {
    !cell.is_empty() && cell.chars().all(|c| matches!(c, '-' | ':'))
}

fn judge_header(cells: &[String]) -> Result<(), String> {
    if cells.iter().map(|cell| cell.to_lowercase()).eq(HEADER) {
        return Ok(());
    }
    Err(format!("a table whose columns are not {}", HEADER.join(" | ")))
}

fn judge_row(cells: &[String], source: impl Fn(&str) -> Option<String>) -> Result<Proof, String> {
    let [claim, verdict, command, proof] = cells else {
        return Err(format!("{} cells instead of {}", cells.len(), HEADER.len()));
    };
    if claim.is_empty() || command.is_empty() {
        return Err("an empty claim or command".into());
    }
    if !VERDICTS.contains(&verdict.as_str()) {
        return Err(format!("verdict {verdict:?} is none of {}", VERDICTS.join(", ")));
    }
    if let Some(owner) = proof.strip_prefix("planned: ") {
        if OWNERS.contains(&owner) {
            return Ok(Proof::Planned);
        }
        return Err(format!("owner {owner:?} is none of {}", OWNERS.join(", ")));
    }
    let tests: Vec<&str> = proof.split('`').skip(1).step_by(2).collect();
    if tests.is_empty() {
        return Err("neither a test (`path.rs::test_name`) nor `planned: OWNER`".into());
    }
    tests.iter().try_for_each(|test| find_test(test, &source)).map(|()| Proof::Tested)
}

fn find_test(test: &str, source: impl Fn(&str) -> Option<String>) -> Result<(), String> {
    let (path, name) = test.split_once("::").ok_or_else(|| format!("`{test}` names no test"))?;
    let name = name.rsplit("::").next().unwrap_or(name);
    let content = source(path).ok_or_else(|| format!("no file {path}"))?;
    if content.contains(&format!("fn {name}(")) {
        Ok(())
    } else {
        Err(format!("no test {name} in {path}"))
    }
}

impl Tally {
    fn add(&mut self, proof: &Proof) {
        match proof {
            Proof::Tested => self.tested += 1,
            Proof::Planned => self.planned += 1,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{FILE}:{}: {}", self.line, self.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOP: &str =
        "# Page\n\n| Claim | Verdict | Command | Test or owner |\n|---|:--:|---|---|\n";

    fn judged(rows: &str) -> Result<Tally, String> {
        let source = |path: &str| (path == "lab/a.rs").then(|| "fn it_holds() {}".to_owned());
        check(&format!("{TOP}{rows}"), source).map_err(|problems| {
            problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        })
    }

    #[test]
    fn a_claim_with_a_test_and_a_claim_with_an_owner_pass() {
        let rows = "| a \\| b | true | `why` | `lab/a.rs::it_holds`, `lab/a.rs::tests::it_holds` |\n\
                    | c | true then | `rsh` | planned: rsh |\n";
        assert_eq!(judged(rows), Ok(Tally { tested: 1, planned: 1 }));
    }

    #[test]
    fn what_proves_nothing_is_named_with_its_line() {
        for (row, what) in [
            ("| a | maybe | `why` | planned: rsh |", "verdict \"maybe\""),
            ("| a | true | `why` | planned: nobody |", "owner \"nobody\""),
            ("| a | true | `why` | |", "neither a test"),
            ("| a | true | `why` | `lab/a.rs` |", "names no test"),
            ("| a | true | `why` | `lab/b.rs::it_holds` |", "no file lab/b.rs"),
            ("| a | true | `why` | `lab/a.rs::it` |", "no test it in lab/a.rs"),
            ("| a | true | `why` | `lab/a.rs::it_holds` `lab/a.rs::gone` |", "no test gone"),
            ("| | true | `why` | planned: rsh |", "an empty claim"),
            ("| a | true | planned: rsh |", "3 cells"),
        ] {
            let said = judged(row).unwrap_err();
            assert!(
                said.starts_with("docs/article.md:5: ") && said.contains(what),
                "{row}: {said}"
            );
        }
    }

    #[test]
    fn a_page_without_claims_fails() {
        assert!(judged("").unwrap_err().contains("no claim at all"));
    }

    #[test]
    fn a_table_of_another_shape_is_not_passed_over() {
        let said = judged("\n| Cliam | Verdict |\n|---|---|\n").unwrap_err();
        assert!(said.contains("a table whose columns"), "{said}");
    }
}
