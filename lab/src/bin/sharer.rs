//! One instance of a program that shares the reserved ports with others, for tests: it does what it reads, line by line
//! from its stdin, and answers each line with one.

use lastack_graceful::close::ClosePolicy;
use lastack_graceful::ports::{Lease, Ports, Purpose};
use lastack_os::claim::Claim;
use std::io::{self, BufRead as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::{Duration, Instant};

const USAGE: &str = "\
Usage: sharer            shares the ports 512 to 1023; says `ready`, or why not
       sharer squat      only has names

Words on stdin: take ADDR N MS   connects so often within so many milliseconds: the local ports
                close            closes all that it connected, first
                counts           what was connected, refused, waited
                shares           members, own ports, all ports, strangers
                reason ADDR      why it waits
                have NAME        takes a name
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let squats = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["squat"] => true,
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    if squats {
        say("ready");
        return have_names();
    }
    match Ports::builder().ports(512..=1023).share() {
        Ok(ports) => {
            say("ready");
            obey(&ports);
            ExitCode::SUCCESS
        }
        Err(error) => {
            say(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn have_names() -> ExitCode {
    let mut claims = Vec::new();
    for line in io::stdin().lock().lines() {
        let line = line.expect("stdin");
        let name = line.strip_prefix("have ").expect("have NAME");
        claims.extend(Claim::take(name).expect("a name"));
        say(&claims.len().to_string());
    }
    ExitCode::SUCCESS
}

fn obey(ports: &Ports) {
    let mut held: Vec<(TcpStream, Lease)> = Vec::new();
    for line in io::stdin().lock().lines() {
        let line = line.expect("stdin");
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["take", to, count, millis] => {
                let count = count.parse().expect("a number");
                let limit = Duration::from_millis(millis.parse().expect("milliseconds"));
                match take(ports, to.parse().expect("an address"), count, limit) {
                    Ok(made) => {
                        let taken: Vec<_> =
                            made.iter().map(|(_, lease)| lease.port().to_string()).collect();
                        say(&format!("took {}", taken.join(" ")));
                        held.extend(made);
                    }
                    Err(words) => say(&words),
                }
            }
            ["close"] => {
                for (stream, lease) in held.drain(..) {
                    let _ = lease.close_orderly(stream, &ClosePolicy::client()).expect("closed");
                }
                say("closed");
            }
            ["counts"] => {
                let counts = ports.counts();
                say(&format!("{} {} {}", counts.connected, counts.refused, counts.waited));
            }
            ["shares"] => {
                let it = ports.shares().expect("they are shared");
                say(&format!("{} {} {} {}", it.members, it.own, it.ports, it.strangers.len()));
            }
            ["reason", to] => {
                let purpose = Purpose::Connect(to.parse().expect("an address"));
                say(&ports.reason(purpose).to_string());
            }
            _ => panic!("{line:?}\n{USAGE}"),
        }
    }
}

fn take(
    ports: &Ports,
    to: SocketAddr,
    count: usize,
    limit: Duration,
) -> Result<Vec<(TcpStream, Lease)>, String> {
    let until = Instant::now() + limit;
    let mut made = Vec::new();
    while made.len() < count {
        match ports.connect(to, until) {
            Ok(one) => made.push(one),
            Err(error) => return Err(format!("failed after {}: {error}", made.len())),
        }
    }
    Ok(made)
}

fn say(words: &str) {
    println!("{words}");
    io::stdout().flush().expect("stdout");
}
