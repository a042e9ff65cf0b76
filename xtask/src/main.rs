//! Development tasks: `cargo xtask TASK`.
//!
//! Each task is a module. Checks are pure functions over text, with a thin shell that reads files; nothing here is
//! part of the program that users run.

mod article;
mod bench;
mod docs;
mod fuzz;
mod layers;
mod lint;
mod packages;
mod semver;
mod source;
mod step;
mod test;
mod workspace;

use std::env;
use std::process::ExitCode;
use step::Failure;

const USAGE: &str = "\
Usage: cargo xtask TASK

  test            install what the tests need, build lastack, run every test, print the counts
  lint            formatting, clippy, rustdoc, layers, cargo-deny
  layers          which crate may use which, where unsafe may stand, what the model may name
  article         every claim of docs/article.md has a verdict, and a test or an owner
  bench explore   how fast every state is found, beside stateright with the same transition function
  bench close     how much of an answer arrives, by how the server closes (as root)
  bench echo      connections per second with an orderly close, beside a plain one (as root)
  bench free      how soon `lastack free` frees a port beside ss -K, fuser -k and others, and what dies (as root)
  bench listener  how many requests fail while one listener follows another, by how the old one is closed (as root)
  bench prompt    how soon real clients close once they have an answer (as root)
  bench rsh [COMMANDS] [stock|ours|turns|at-once|session|ssh|one-host|eight-hosts|on|off...]
                  commands over rsh and ssh beside rsh, pdsh and clush (as root; 20,000 commands if not said), or parts
  bench wait      how soon `lastack wait` runs its command, and what waiting costs (as root)
  bench why       what `lastack why` costs beside ss, lsof and others, on crowds of sockets (as root)
  packages        install what the tests need (as root), or name it
  docs            write man pages and shell completions to target/man and target/completions
  fuzz [SECONDS]  build the fuzz targets and run them for SECONDS in all (default 60)
  semver [REV]    what changed in the libraries since the last release (tag v*), or since REV, that breaks programs
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match dispatch(&words) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(words: &[&str]) -> Result<ExitCode, Failure> {
    match words {
        ["test"] => return test::run(),
        ["lint"] => lint::run()?,
        ["layers"] => layers::run()?,
        ["article"] => article::run()?,
        ["bench", "free"] => bench::free::run()?,
        ["bench", "rsh", words @ ..] => bench::rsh::run(words)?,
        ["bench", "wait"] => bench::wait::run()?,
        ["bench", "why"] => bench::why::run()?,
        ["bench", name] if bench::IN_LAB.contains(name) => bench::in_lab(name)?,
        ["packages"] => packages::ensure(packages::FOR_TESTS)?,
        ["docs"] => docs::run()?,
        ["fuzz"] => fuzz::run(fuzz::DEFAULT_SECONDS)?,
        ["fuzz", seconds] => fuzz::run(fuzz::seconds(seconds)?)?,
        ["semver"] => semver::run(None)?,
        ["semver", revision] => semver::run(Some(revision))?,
        ["help" | "--help" | "-h"] => step::say(USAGE)?,
        _ => {
            eprintln!("xtask: there is no task {:?}\n", words.join(" "));
            eprint!("{USAGE}");
            return Ok(ExitCode::from(2));
        }
    }
    Ok(ExitCode::SUCCESS)
}
