//! How many requests fail while one listener follows another, by how the old one is closed: `cargo xtask bench listener`.
//!
//! For each way a network namespace of its own, the server as an ordinary user, the clients in three processes of four
//! threads. `LASTACK_REQUESTS` (500,000 if not set) are made for each way, with a hand-over every 2,500.

use lastack_lab::handover::{self, Way};
use lastack_lab::namespace::Namespace;
use std::env;
use std::io::{BufWriter, Write};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

fn main() {
    let words: Vec<String> = env::args().collect();
    if let [_, word, requests, ..] = &words[..]
        && word == "clients"
    {
        ask(requests.parse().expect("a number of requests"));
        return;
    }
    let requests = env::var("LASTACK_REQUESTS").map_or(REQUESTS, |text| {
        text.parse().unwrap_or_else(|_| panic!("LASTACK_REQUESTS is no number: {text:?}"))
    });
    let share = requests.div_ceil(PROCESSES);
    println!(
        "{:<30}{:>10}{:>11}{:>8}{:>10}{:>10}{:>11}",
        "old listener", "hand-overs", "requests", "failed", "p50 ms", "p99 ms", "requests/s"
    );
    for way in Way::ALL {
        // A namespace belongs to its thread.
        let measured = thread::spawn(move || measure(way, share)).join();
        let (line, failed) = measured.expect("a measurement");
        println!("{line}");
        let is_ours = matches!(way, Way::Steered | Way::Shared);
        assert!(!is_ours || failed == 0, "a drained listener lost {failed} of {requests}");
    }
}

/// The clients of one process: how many failed, then how many microseconds each answer took.
fn ask(requests: u64) {
    let (times, failed) = handover::clients(requests, THREADS);
    let mut out = BufWriter::new(std::io::stdout().lock());
    writeln!(out, "{failed}").expect("somebody reads");
    for time in times {
        writeln!(out, "{}", time.as_micros()).expect("somebody reads");
    }
    out.flush().expect("somebody reads");
}

/// The line of one way, and how many requests failed.
fn measure(way: Way, share: u64) -> (String, u64) {
    let namespace = Namespace::enter();
    namespace.set("ipv4/tcp_migrate_req", if way == Way::Migrate { "1" } else { "0" });
    // Before the clients: none may come too early.
    let first = thread::scope(|scope| {
        let listener = scope.spawn(|| {
            handover::become_nobody();
            handover::listening()
        });
        listener.join().expect("a listener")
    });
    let began = Instant::now();
    let clients: Vec<Child> = (0..PROCESSES).map(|_| start(share)).collect();
    handover::become_nobody();
    let requests = share * PROCESSES;
    let hand_overs = requests / EVERY;
    let (mut times, mut failed) = (Vec::new(), 0);
    // Those that fail are not answered: a little more often, so that the last hand-over comes too.
    let _ = handover::serve(first, way, hand_overs, EVERY * 9 / 10, || {
        for client in clients {
            let output = client.wait_with_output().expect("clients that end");
            let text = String::from_utf8(output.stdout).expect("numbers");
            let mut numbers = text.lines().map(|line| line.parse::<u64>().expect("a number"));
            failed += numbers.next().expect("how many failed");
            times.extend(numbers.map(Duration::from_micros));
        }
    });
    let took = began.elapsed().as_secs_f64();
    times.sort_unstable();
    let ms = |per_cent: usize| times[(times.len() - 1) * per_cent / 100].as_secs_f64() * 1000.0;
    let line = format!(
        "{:<30}{hand_overs:>10}{requests:>11}{failed:>8}{:>10.2}{:>10.2}{:>11.0}",
        way.name(),
        ms(50),
        ms(99),
        f64::from(u32::try_from(requests).unwrap_or(u32::MAX)) / took
    );
    (line, failed)
}

fn start(requests: u64) -> Child {
    let program = env::current_exe().expect("the path of this program");
    let mut command = Command::new(program);
    command.args(["clients", &requests.to_string()]).stdout(Stdio::piped());
    command.spawn().expect("a second process of this program")
}

const REQUESTS: u64 = 500_000;
const EVERY: u64 = 2_500;
const PROCESSES: u64 = 3;
const THREADS: usize = 4;
