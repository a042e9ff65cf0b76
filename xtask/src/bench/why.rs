//! `cargo xtask bench why`: `lastack why` beside `ss` and other tools that name a port's owner.
//!
//! Processor time is the figure to trust on a shared machine. Everybody's output goes to `/dev/null`, which spares those
//! that print every socket the cost of somebody reading it.

use super::Programs;
use super::crowd::Crowd;
use super::race::{Runner, race};
use super::table::{Goal, Line, table};
use crate::step::{self, Failure};
use std::path::Path;
use std::time::Duration;

/// A command, and the goal if it is ours.
type Entry = (Runner, Option<Goal>);

pub(crate) fn run() -> Result<(), Failure> {
    let programs = Programs::build()?;
    for count in ["100000", "300000"] {
        let mut crowd = time_waits(&programs, count)?;
        for (heading, entries) in [no_hit(&programs)?, all_match(&programs)?] {
            report(&format!("{count} TIME_WAITs, {heading}"), &entries, &crowd)?;
        }
        for (heading, entries) in [elsewhere(&programs), others()?] {
            if crowd.age() > FRESH {
                drop(crowd);
                crowd = time_waits(&programs, count)?;
            }
            report(&format!("{count} TIME_WAITs, {heading}"), &entries, &crowd)?;
        }
    }
    let crowd = Crowd::gather(&programs.crowd, &["descriptors", PORT, "19900", "3"])?;
    let (heading, entries) = attribution(&programs)?;
    report(heading, &entries, &crowd)
}

fn time_waits(programs: &Programs, count: &str) -> Result<Crowd, Failure> {
    Crowd::gather(&programs.crowd, &["time-waits", PORT, count])
}

/// Runs them in turn and prints the table.
fn report(heading: &str, entries: &[Entry], crowd: &Crowd) -> Result<(), Failure> {
    let (runners, goals): (Vec<&Runner>, Vec<Option<Goal>>) =
        entries.iter().map(|(runner, goal)| (runner, *goal)).unzip();
    let before = crowd.time_waits()?;
    let all =
        race(&crowd.namespace()?, &runners, ROUNDS, || before == 0 || crowd.age() < LIFETIME)?;
    let lines: Vec<Line<'_>> = runners
        .iter()
        .zip(&all)
        .zip(goals)
        .map(|((runner, runs), goal)| Line { name: &runner.name, runs, goal })
        .collect();
    step::say(&table(heading, &lines))?;
    let after = crowd.time_waits()?;
    if after < before {
        step::say(&format!("{} of the {before} TIME_WAITs expired meanwhile\n", before - after))?;
    }
    Ok(())
}

/// A port that nobody uses: the kernel's filter rejects every socket.
fn no_hit(programs: &Programs) -> Result<(&'static str, Vec<Entry>), Failure> {
    let entries = vec![
        (ss(&["-Htan", "sport = :9"])?, None),
        (lastack(&programs.lastack, &["9", NO_OTHERS]), Some(Goal(1.2))),
    ];
    Ok(("no hit", entries))
}

/// The port that all of them are on.
fn all_match(programs: &Programs) -> Result<(&'static str, Vec<Entry>), Failure> {
    let entries = vec![
        (ss(&["-tan"])?, None),
        (ss(&["-Htan", &format!("sport = :{PORT}")])?, None),
        (lastack(&programs.lastack, &[PORT, NO_OTHERS]), Some(Goal(0.5))),
    ];
    Ok(("all match", entries))
}

/// What looking into other network namespaces adds.
fn elsewhere(programs: &Programs) -> (&'static str, Vec<Entry>) {
    let entries = vec![
        (lastack(&programs.lastack, &["9", NO_OTHERS]), None),
        (lastack(&programs.lastack, &["9"]), None),
    ];
    ("no hit, other network namespaces searched too", entries)
}

/// What else answers the question.
fn others() -> Result<(&'static str, Vec<Entry>), Failure> {
    let mut entries = vec![(ss(&["-tan"])?, None)];
    entries.extend(peers().into_iter().map(|runner| (runner, None)));
    Ok(("other tools", entries))
}

/// Which process listens, among many descriptors.
fn attribution(programs: &Programs) -> Result<(&'static str, Vec<Entry>), Failure> {
    let mut entries = vec![
        (ss(&["-tlnp"])?, None),
        (lastack(&programs.lastack, &[PORT, NO_OTHERS]), Some(Goal(0.5))),
    ];
    entries.extend(peers().into_iter().map(|runner| (runner, None)));
    Ok(("attribution among 59,700 socket descriptors of three processes", entries))
}

fn lastack(program: &Path, arguments: &[&str]) -> Runner {
    Runner::new(program, &[&["why"], arguments].concat())
}

fn ss(arguments: &[&str]) -> Result<Runner, Failure> {
    Runner::installed("ss", arguments)
        .ok_or_else(|| Failure::new("failed to find ss (install iproute2)"))
}

fn peers() -> Vec<Runner> {
    let by_port = format!("-iTCP:{PORT}");
    let fuser = format!("{PORT}/tcp");
    [
        Runner::installed("lsof", &["-nP", &by_port, "-sTCP:LISTEN"]),
        Runner::installed("killport", &["--dry-run", PORT]),
        Runner::installed("netstat", &["-tlnp"]),
        Runner::installed("fuser", &[&fuser]),
    ]
    .into_iter()
    .flatten()
    .collect()
}

const PORT: &str = "8080";
const NO_OTHERS: &str = "--no-other-namespaces";
const ROUNDS: usize = 5;
/// A `TIME_WAIT` lasts 60 s from the end of its connection, and making them all takes some of it.
const LIFETIME: Duration = Duration::from_secs(45);
/// Past this age a scene is made anew before the slow ones run.
const FRESH: Duration = Duration::from_secs(5);
