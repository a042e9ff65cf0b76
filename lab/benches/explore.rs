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
    ours("5 in flight, an octet each way, aborts", &largest);
    println!("peak memory {}", peak());
}

/// Both on one space, one after the other.
fn beside<const N: usize>(name: &str, setting: Setting<N>) {
    let rate = ours(name, &setting);
    let began = Instant::now();
    let states = count_states(setting, THREADS);
    let seconds = began.elapsed().as_secs_f64();
    let theirs = states as f64 / seconds;
    let ratio = rate / theirs;
    println!(
        "{:<46}{states:>11}{:>12}{seconds:>9.2}{theirs:>13.0}{ratio:>7.2}",
        "  stateright", ""
    );
}

/// States found in a second.
fn ours<const N: usize>(name: &str, setting: &Setting<N>) -> f64 {
    let began = Instant::now();
    let explored = explore(setting, THREADS);
    let seconds = began.elapsed().as_secs_f64();
    let states = explored.states();
    let rate = states as f64 / seconds;
    println!("{name:<46}{states:>11}{:>12}{seconds:>9.2}{rate:>13.0}", explored.transitions);
    rate
}

/// As much memory as the process ever had at once.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "unknown".into(), |text| text.trim().to_owned())
}

const THREADS: usize = 2;
