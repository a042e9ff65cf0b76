//! How much of an answer arrives, by how the server closes and what its client does meanwhile.
//!
//! `cargo xtask bench close` runs it, as root, with 1,000 trials of each over loopback and a tenth of that over a link of
//! 100 Mbit/s, unless `LASTACK_TRIALS` names another number.

use lastack_lab::link::{HERE, OtherHost};
use lastack_lab::namespace::Namespace;
use lastack_lab::truncation::{Client, Exchange, Strategy, Trial};
use std::net::TcpListener;

fn main() {
    let namespace = Namespace::enter();
    let trials = std::env::var("LASTACK_TRIALS").map_or(1000, |number| {
        number.parse().expect("LASTACK_TRIALS is the number of trials of each")
    });
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    table("loopback", trials, |exchange| exchange.run(&listener));

    let far = OtherHost::joined_to(&namespace);
    far.slow_down();
    let listener = TcpListener::bind((HERE, 0)).expect("a listener");
    table("100 Mbit/s", trials.div_ceil(10), |exchange| exchange.run_from(&far, &listener));
}

fn table(link: &str, trials: usize, run: impl Fn(Exchange) -> Trial) {
    println!("{link}, {trials} trials of each\n");
    println!(
        "{:<26}{:<16}{:>9}{:>10}{:>13}{:>13}{:>13}",
        "close", "client", "cut", "ratio", "median lost", "silent cuts", "send errors"
    );
    for client in Client::ALL {
        for strategy in Strategy::ALL {
            let exchange = Exchange::of(client, strategy);
            let trials: Vec<_> = (0..trials).map(|_| run(exchange)).collect();
            print(client, strategy, &trials);
            let is_whole = |trial: &Trial| trial.lost == 0 && !trial.send_error;
            assert!(
                !strategy.is_ours() || trials.iter().all(is_whole),
                "an orderly close harmed a client"
            );
        }
    }
    println!();
}

fn print(client: Client, strategy: Strategy, trials: &[Trial]) {
    let count = |is: fn(&&Trial) -> bool| trials.iter().filter(is).count();
    let cut = count(|trial| trial.lost > 0);
    let mut lost: Vec<_> = trials.iter().map(|trial| trial.lost).filter(|&lost| lost > 0).collect();
    lost.sort_unstable();
    println!(
        "{:<26}{:<16}{cut:>9}{:>9.1}%{:>13}{:>13}{:>13}",
        format!("{strategy:?}"),
        format!("{client:?}"),
        f64::from(u32::try_from(cut * 1000 / trials.len().max(1)).expect("a ratio")) / 10.0,
        lost.get(lost.len() / 2).copied().unwrap_or(0),
        count(|trial| trial.lost > 0 && !trial.read_error),
        count(|trial| trial.send_error),
    );
}
