//! `lastack`: the last word on how TCP connections end.

use clap::Parser;
use lastack::args::Cli;
use lastack::exit::Exit;
use std::process::ExitCode;

fn main() -> ExitCode {
    match lastack::run(Cli::parse()) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(error) => {
            anstream::eprintln!("lastack: {error}");
            ExitCode::from(Exit::Error.code())
        }
    }
}
