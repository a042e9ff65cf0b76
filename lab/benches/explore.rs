//! How fast every state is found, beside `stateright` with the same transition function and as many threads.
//!
//! `cargo xtask bench explore` runs it; the largest space is ours alone, for its time and memory.

#![expect(clippy::cast_precision_loss, reason = "rates are printed to a few digits")]

use lastack_lab::other_explorer::count_states;
use lastack_model::explore::explore;
use lastack_model::tcp::world::Setting;
use std::time::Instant;

fn main() {
    println!(
        "{:<46}{:>11}{:>12}{:>9}{:>13}{:>7}",
        "space", "states", "transitions", "s", "states/s", "ratio"
    );
    beside("4 in flight, aborts", Setting::<4> { aborts: true, ..Setting::BASIC });
    beside("4 in flight, an octet each way", Setting::<4> { octets: 1, ..Setting::BASIC });
    let largest = Setting::<5> { aborts: true, octets: 1, ..Setting::BASIC };
    ours(&largest).print("5 in flight, an octet each way, aborts", None);
    println!("peak memory {}", peak());
}

/// Both on one space, turn about, the fastest turn of each.
fn beside<const N: usize>(name: &str, setting: Setting<N>) {
    let turns = (0..TURNS).map(|_| (ours(&setting), theirs(setting)));
    let (ours, theirs): (Vec<_>, Vec<_>) = turns.unzip();
    let (ours, theirs) = (fastest(ours), fastest(theirs));
    ours.print(name, None);
    theirs.print("  stateright", Some(ours.rate() / theirs.rate()));
}

/// A walk through a space.
struct Walk {
    states: usize,
    transitions: Option<u64>,
    seconds: f64,
}

fn ours<const N: usize>(setting: &Setting<N>) -> Walk {
    let began = Instant::now();
    let explored = explore(setting, THREADS);
    let seconds = began.elapsed().as_secs_f64();
    Walk { states: explored.states(), transitions: Some(explored.transitions), seconds }
}

fn theirs<const N: usize>(setting: Setting<N>) -> Walk {
    let began = Instant::now();
    let states = count_states(setting, THREADS);
    Walk { states, transitions: None, seconds: began.elapsed().as_secs_f64() }
}

fn fastest(walks: Vec<Walk>) -> Walk {
    let by_time = |one: &Walk, other: &Walk| one.seconds.total_cmp(&other.seconds);
    walks.into_iter().min_by(by_time).expect("a turn")
}

impl Walk {
    /// States found in a second.
    fn rate(&self) -> f64 {
        self.states as f64 / self.seconds
    }

    fn print(&self, name: &str, ratio: Option<f64>) {
        let transitions = self.transitions.map_or_else(String::new, |count| count.to_string());
        let ratio = ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        let (states, seconds, rate) = (self.states, self.seconds, self.rate());
        println!("{name:<46}{states:>11}{transitions:>12}{seconds:>9.2}{rate:>13.0}{ratio:>7}");
    }
}

/// As much memory as the process ever had at once.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "unknown".into(), |text| text.trim().to_owned())
}

const THREADS: usize = 2;
const TURNS: usize = 5;
