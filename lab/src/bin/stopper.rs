//! Stops whoever holds a TCP port of the namespaces it is started in, and says what it did: for tests that look at a
//! whole system of their own from the inside.
//!
//! One line each: `stop COMMAND`, `also NAME`, `outcome ...`, `hindered ...`, `error ...`.

use lastack_lab::owner;
use lastack_os::act::stop::{Kill, stop};
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(port) = std::env::args().nth(1).and_then(|word| word.parse().ok()) else {
        eprintln!("Usage: stopper PORT");
        return ExitCode::from(2);
    };
    let stops = match owner::stops(port) {
        Ok(stops) => stops,
        Err(hindrances) => {
            for hindrance in hindrances {
                println!("hindered {}: {}", hindrance.words(), hindrance.advice());
            }
            return ExitCode::FAILURE;
        }
    };
    for one in stops {
        println!("stop {}", one.means.command(&one.processes));
        one.also.iter().for_each(|companion| println!("also {}", companion.name));
        match stop(&one, &owner::terms(Kill::Never)) {
            Ok(outcome) => println!("outcome {outcome:?}"),
            Err(error) => println!("error {error}"),
        }
    }
    ExitCode::SUCCESS
}
