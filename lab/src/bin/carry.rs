//! `carry COMMANDS AT-ONCE HOST...`: commands over rsh from a process of its own, for tests with several of them. It
//! prints `ok` whenever a command has written that, and at the end how many succeeded and failed.

use lastack_graceful::ports::Ports;
use lastack_lab::carried::{Carriage, task};
use lastack_rsh::rcmd::{Options, Rsh};
use std::io::Write as _;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [commands, at_once, hosts @ ..] = &words[..] else {
        panic!("carry COMMANDS AT-ONCE HOST...");
    };
    let commands: usize = commands.parse().expect("how many commands");
    let at_once = at_once.parse().expect("how many at once");
    let rsh = || Rsh::new(Ports::reserved(), Options::new("root")).expect("a carrier");
    let tasks = (0..commands).map(|number| task(&hosts[number % hosts.len()], "echo ok"));
    let mut out = std::io::stdout();
    let carried = Carriage::new(rsh).all(tasks.collect(), at_once, |piece| {
        out.write_all(&piece.octets).and_then(|()| out.flush()).expect("somebody reads");
    });
    let failed: Vec<_> = carried.iter().filter(|it| it.report.result != Ok(0)).collect();
    println!("{} succeeded, {} failed", carried.len() - failed.len(), failed.len());
    for it in failed {
        println!("{:?}", it.report);
    }
}
