//! `cargo xtask bench free`: `lastack free` beside what else frees a port, in every way a port is kept busy.
//!
//! A port counts as free when a plain bind of the wildcard succeeds. Every run has a network and a PID namespace of its
//! own, so that a tool that kills too much kills nothing of this machine. Nothing is installed: what is missing is named.

use super::Programs;
use crate::step::{self, Failure};
use serde_json::Value;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) fn run() -> Result<(), Failure> {
    let programs = Programs::build()?;
    let peers: Vec<Peer> = PEERS.iter().filter_map(Peer::find).collect();
    let mut tally = Tally::new(&peers);
    for scene in SCENES {
        let mut text = heading(scene);
        let ours = ours(&programs.lastack, scene);
        let theirs = peers.iter().map(|peer| Tool::of(&peer.path, peer.arguments));
        for (at, tool) in std::iter::once(ours).chain(theirs).enumerate() {
            let runs = (0..ROUNDS)
                .map(|_| play(&programs.busy, scene, &tool))
                .collect::<Result<Vec<Run>, Failure>>()?;
            let line = Line::of(&runs);
            tally.count(at, &line);
            text.push_str(&line.text(&tool.name));
        }
        step::say(&text)?;
    }
    step::say(&tally.text())
}

/// A way in which a port is busy, see `lab/src/bin/busy.rs`.
struct Scene {
    name: &'static str,
    words: &'static str,
    /// What `lastack free` must be allowed.
    flags: &'static [&'static str],
}

/// A program that frees ports, how it is called, and how to get it.
struct Candidate {
    program: &'static str,
    arguments: &'static [&'static str],
    needs: &'static [&'static str],
    from: &'static str,
}

struct Peer {
    path: PathBuf,
    arguments: &'static [&'static str],
}

impl Peer {
    fn find(candidate: &Candidate) -> Option<Self> {
        let Candidate { program, arguments, needs, from } = candidate;
        let found = step::find_program(program);
        let lacks = needs.iter().find(|name| step::find_program(name).is_none());
        match (found, lacks) {
            (Some(path), None) => Some(Self { path, arguments }),
            (None, _) => {
                eprintln!("xtask: {program} is not installed and takes no part ({from})");
                None
            }
            (Some(_), Some(lack)) => {
                eprintln!("xtask: {program} takes no part: it needs {lack} ({from})");
                None
            }
        }
    }
}

/// A command as it is run, and as it is shown.
struct Tool {
    name: String,
    path: PathBuf,
    arguments: Vec<String>,
}

impl Tool {
    fn of(path: &Path, arguments: &[&str]) -> Self {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        Self {
            name: format!("{file} {}", arguments.join(" ")),
            path: path.to_owned(),
            arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
        }
    }
}

fn ours(program: &Path, scene: &Scene) -> Tool {
    Tool::of(program, &[&["free", PORT], scene.flags].concat())
}

/// What came of one run.
struct Run {
    /// Milliseconds from the call to the first bind that succeeded.
    free_ms: Option<f64>,
    exit: String,
    died: Vec<String>,
    innocent: Vec<String>,
    listener_broken: bool,
    said: String,
}

/// Sets the scene and lets the tool act in it.
fn play(busy: &Path, scene: &Scene, tool: &Tool) -> Result<Run, Failure> {
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]).arg(busy);
    command.args([scene.name, PORT]).arg(&tool.path).args(&tool.arguments);
    let output = command.output().map_err(|cause| step::not_started(&command, &cause))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::new(format!("failed to set the scene {}: {why}", scene.name)));
    }
    parse(&String::from_utf8_lossy(&output.stdout)).ok_or_else(|| {
        Failure::new(format!("failed to read what came of {} in {}", tool.name, scene.name))
    })
}

fn parse(line: &str) -> Option<Run> {
    let value: Value = serde_json::from_str(line).ok()?;
    let words = |name: &str| -> Option<Vec<String>> {
        let list = value[name].as_array()?.iter();
        list.map(|word| word.as_str().map(ToOwned::to_owned)).collect()
    };
    Some(Run {
        free_ms: value["free_ms"].as_f64(),
        exit: value["exit"].as_i64().map_or_else(|| "signal".into(), |code| code.to_string()),
        died: words("died")?,
        innocent: words("innocent")?,
        listener_broken: value["listener_broken"].as_bool()?,
        said: value["said"].as_str()?.to_owned(),
    })
}

/// What came of all runs of one tool in one scene. What happened once counts, whatever happened in the others.
struct Line {
    median_ms: Option<f64>,
    freed: usize,
    runs: usize,
    exit: String,
    died: String,
    innocent: String,
    listener_broken: bool,
    said: String,
}

impl Line {
    fn of(runs: &[Run]) -> Self {
        let mut times: Vec<f64> = runs.iter().map(|run| run.free_ms.unwrap_or(f64::MAX)).collect();
        times.sort_by(f64::total_cmp);
        let all = |of: fn(&Run) -> &Vec<String>| {
            let worst = runs.iter().map(of).max_by_key(|list| list.len());
            worst.map_or_else(String::new, |list| counted(list))
        };
        let mut exits: Vec<&str> = runs.iter().map(|run| run.exit.as_str()).collect();
        exits.dedup();
        Self {
            median_ms: times.get(times.len() / 2).copied().filter(|ms| *ms < f64::MAX),
            freed: runs.iter().filter(|run| run.free_ms.is_some()).count(),
            runs: runs.len(),
            exit: exits.join("/"),
            died: all(|run| &run.died),
            innocent: all(|run| &run.innocent),
            listener_broken: runs.iter().any(|run| run.listener_broken),
            said: runs.first().map_or_else(String::new, |run| run.said.clone()),
        }
    }

    fn claims_in_vain(&self) -> bool {
        self.freed < self.runs && self.exit.split('/').any(|code| code == "0")
    }

    fn text(&self, name: &str) -> String {
        let time = self.median_ms.map_or_else(|| "blocked".into(), |ms| format!("{ms:.0} ms"));
        let none = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
        let mut line = String::new();
        let _ = writeln!(
            line,
            "{name:<32}{time:>9}{:>7}  {:<10}{:<13}{:<10}{:<5}{}",
            format!("{}/{}", self.freed, self.runs),
            none(&self.died),
            none(&self.innocent),
            if self.listener_broken { "BROKEN" } else { "-" },
            self.exit,
            none(&shortened(&self.said)),
        );
        line
    }
}

/// `owner, owner, owner` is `3 owner`.
fn counted(names: &[String]) -> String {
    match names {
        [first, .., _] if names.iter().all(|name| name == first) => {
            format!("{} {first}", names.len())
        }
        _ => names.join(", "),
    }
}

/// One line of a terminal's worth of what a tool says.
fn shortened(said: &str) -> String {
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(SAID) {
        Some((at, _)) => format!("{}...", &words[..at]),
        None => words,
    }
}

fn heading(scene: &Scene) -> String {
    format!(
        "\n{}\n\n{:<32}{:>9}{:>7}  {:<10}{:<13}{:<10}{:<5}{}\n",
        scene.words,
        "command",
        "bindable",
        "freed",
        "died",
        "innocents",
        "listener",
        "exit",
        "what it says"
    )
}

/// For each tool, in how many scenes it did what.
struct Tally(Vec<Sum>);

struct Sum {
    name: String,
    freed: usize,
    in_vain: usize,
    killed_in_vain: usize,
    innocents: usize,
    broken: usize,
}

impl Tally {
    fn new(peers: &[Peer]) -> Self {
        let theirs = peers.iter().map(|peer| Tool::of(&peer.path, peer.arguments).name);
        let names = std::iter::once("lastack free".to_owned()).chain(theirs);
        let sum =
            |name| Sum { name, freed: 0, in_vain: 0, killed_in_vain: 0, innocents: 0, broken: 0 };
        Self(names.map(sum).collect())
    }

    fn count(&mut self, at: usize, line: &Line) {
        let sum = &mut self.0[at];
        sum.freed += usize::from(line.freed == line.runs);
        sum.in_vain += usize::from(line.claims_in_vain());
        sum.killed_in_vain += usize::from(line.freed < line.runs && !line.died.is_empty());
        sum.innocents += usize::from(!line.innocent.is_empty());
        sum.broken += usize::from(line.listener_broken);
    }

    fn text(&self) -> String {
        let mut text = format!("\nOf {} ways in which a port is busy\n\n", SCENES.len());
        let _ = writeln!(
            text,
            "{:<32}{:>7}{:>22}{:>22}{:>16}{:>17}",
            "command",
            "freed",
            "exit 0, not freed",
            "killed, not freed",
            "innocents hurt",
            "listener broken"
        );
        for sum in &self.0 {
            let Sum { name, freed, in_vain, killed_in_vain, innocents, broken } = sum;
            let _ = writeln!(
                text,
                "{name:<32}{freed:>7}{in_vain:>22}{killed_in_vain:>22}{innocents:>16}{broken:>17}"
            );
        }
        text
    }
}

const SCENES: &[Scene] = &[
    Scene { name: "listener", words: "a. A program listens", flags: STOP },
    Scene { name: "time-wait", words: "b. TIME_WAIT, nobody listens", flags: YES },
    Scene { name: "orphan", words: "c. FIN_WAIT_2 that no process holds", flags: YES },
    Scene { name: "held-fin-wait-2", words: "c2. FIN_WAIT_2 that a process holds", flags: YES },
    Scene { name: "close-wait", words: "d. CLOSE_WAIT that its program never closes", flags: YES },
    Scene { name: "bound", words: "e. Bound, never listened", flags: STOP },
    Scene { name: "client", words: "h. A client's port, lent by the kernel", flags: YES },
    Scene { name: "named-client", words: "h2. A client's port, named by the client", flags: STOP },
    Scene { name: "three-holders", words: "k2. Three processes hold a listener", flags: STOP },
    Scene { name: "worker", words: "o. A connection that outlived its listener", flags: YES },
    Scene { name: "crowd", words: "100,000 TIME_WAITs", flags: YES },
];

const YES: &[&str] = &["--yes"];
const STOP: &[&str] = &["--yes", "--stop"];

const PEERS: &[Candidate] = &[
    Candidate {
        program: "ss",
        arguments: &["-tanK", "sport", "=", ":8080"],
        needs: &[],
        from: "apt-get install iproute2",
    },
    Candidate {
        program: "fuser",
        arguments: &["-k", "-n", "tcp", PORT],
        needs: &[],
        from: "apt-get install psmisc",
    },
    Candidate {
        program: "killport",
        arguments: &[PORT],
        needs: &[],
        from: "cargo install killport",
    },
    Candidate {
        program: "kill-port",
        arguments: &[PORT],
        needs: &["node", "lsof"],
        from: "npm install --global kill-port; apt-get install lsof",
    },
];

const PORT: &str = "8080";
const ROUNDS: usize = 5;
/// How much is shown of what a tool says.
const SAID: usize = 44;

#[cfg(test)]
mod tests {
    use super::*;

    fn run(free_ms: Option<f64>, exit: &str, innocent: &[&str]) -> Run {
        Run {
            free_ms,
            exit: exit.into(),
            died: Vec::new(),
            innocent: innocent.iter().map(|name| (*name).to_owned()).collect(),
            listener_broken: false,
            said: "Process on port 8080 killed".into(),
        }
    }

    #[test]
    fn a_port_that_mostly_stays_taken_is_blocked_and_exit_0_is_a_false_claim() {
        let line = Line::of(&[run(None, "0", &[]), run(Some(9.0), "0", &[]), run(None, "0", &[])]);
        assert_eq!((line.median_ms, line.freed), (None, 1));
        assert!(line.claims_in_vain());
        assert!(line.text("kill-port 8080").contains("blocked    1/3"));
        let honest = Line::of(&[run(None, "1", &[])]);
        assert!(!honest.claims_in_vain());
    }

    #[test]
    fn an_innocent_that_died_once_counts() {
        let line = Line::of(&[run(Some(1.0), "0", &[]), run(Some(3.0), "0", &["remote end"])]);
        assert_eq!((line.innocent.as_str(), line.median_ms), ("remote end", Some(3.0)));
    }

    #[test]
    fn what_busy_prints_is_read() {
        let line = r#"{"free_ms":null,"exit":0,"died":["owner"],"innocent":[],"listener_broken":true,"said":"x"}"#;
        let run = parse(line).expect("a run");
        assert_eq!((run.free_ms, run.exit.as_str(), run.listener_broken), (None, "0", true));
        assert!(parse("{}").is_none());
    }

    #[test]
    fn several_of_a_kind_are_counted() {
        let names = |list: &[&str]| list.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        assert_eq!(counted(&names(&["owner", "owner", "owner"])), "3 owner");
        assert_eq!(counted(&names(&["owner", "remote end"])), "owner, remote end");
        assert_eq!(counted(&[]), "");
    }
}
