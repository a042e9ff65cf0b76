//! The program `lastack`: what was typed, what it means, and the answer on paper.
//!
//! The rules live in `lastack-model` and the system in `lastack-os`; this crate decides nothing and only joins them.

pub mod address;
pub mod args;
pub mod ask;
pub mod carry;
pub mod commands;
pub mod consent;
pub mod error;
pub mod exit;
pub mod like;
pub mod report;
pub mod tls;
pub mod typed;
pub mod url;
pub mod verdicts;
pub mod waiting;

use args::{Cli, OutputArgs, Verb, WhyArgs};
use clap::{ColorChoice, CommandFactory};
use error::Error;
use exit::Exit;

/// The definition from which help, man page and completions are made.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Does what was typed.
pub fn run(cli: Cli) -> Result<Exit, Error> {
    match cli.verb {
        Some(Verb::Why(args)) => why(&args),
        Some(Verb::Free(args)) => in_color(&args.output, || commands::free::run(&args)),
        Some(Verb::Close(args)) => in_color(&args.output, || commands::close::run(&args)),
        Some(Verb::Wait(args)) => in_color(&args.output, || commands::wait::run(&args)),
        Some(Verb::Probe(args)) => in_color(&args.output, || commands::probe::run(&args)),
        Some(Verb::Rsh(args)) => in_color(&args.show.output, || commands::rsh::run(&args)),
        Some(Verb::Tune(args)) => in_color(&args.output, || commands::tune::run(&args)),
        Some(Verb::Figure(args)) => commands::figure::run(&args),
        Some(Verb::Check(args)) => {
            choose_color(args.color());
            commands::check::run(&args)
        }
        None => why(&cli.why),
    }
}

fn in_color(output: &OutputArgs, run: impl FnOnce() -> Result<Exit, Error>) -> Result<Exit, Error> {
    choose_color(output.color);
    run()
}

fn why(args: &WhyArgs) -> Result<Exit, Error> {
    in_color(&args.output, || dispatch(args))
}

fn dispatch(args: &WhyArgs) -> Result<Exit, Error> {
    if let Some(destination) = &args.connect {
        commands::connect::run(destination, args)
    } else if args.from.is_some() || args.sample.is_some() {
        Err(Error::new(
            "--from and --sample are about an outgoing connection (name it with --connect)",
        ))
    } else if args.addresses.is_empty() && args.files.facts.is_none() {
        commands::overview::run(args)
    } else {
        commands::why::run(args)
    }
}

fn choose_color(choice: ColorChoice) {
    match choice {
        ColorChoice::Auto => anstream::ColorChoice::Auto,
        ColorChoice::Always => anstream::ColorChoice::Always,
        ColorChoice::Never => anstream::ColorChoice::Never,
    }
    .write_global();
}
