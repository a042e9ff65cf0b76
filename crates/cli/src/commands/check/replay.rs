//! `lastack check replay FILE…`: scripts against the model of a system, or against this machine's kernel. Reads files;
//! for the kernel it makes network namespaces that end with their script, and touches nothing else.

use crate::args::{Against, ReplayArgs};
use crate::error::Error;
use crate::exit::Exit;
use crate::report::check::replay as report;
use crate::report::page::Page;
use lastack_model::script;
use lastack_model::script::replay::{Dialect, Verdict, judge};
use lastack_os::live;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Replays what was asked.
pub(super) fn run(args: &ReplayArgs) -> Result<Exit, Error> {
    let mut judged = Vec::new();
    for path in scripts(args)? {
        let text = read(&path)?;
        let verdict = verdict(&text, args.against)?;
        // What is below a suite is named from there.
        let inside = args.suite.as_ref().and_then(|suite| path.strip_prefix(suite).ok());
        let name = inside.unwrap_or(&path).display().to_string();
        judged.push(report::Judged { name, verdict });
    }
    let mut page = Page::of_terminal();
    let detail = match (&args.suite, args.each) {
        (Some(_), false) => report::Detail::Counts,
        (Some(_), true) => report::Detail::CountsAndEach,
        (None, _) => report::Detail::Each,
    };
    report::write(&mut page, &judged, name(args.against), detail);
    page.print()?;
    Ok(exit(&judged))
}

/// What becomes of a script; the inner error is the script's, the outer one this program's.
fn verdict(text: &str, against: Against) -> Result<Result<Verdict, script::Error>, Error> {
    let Some(dialect) = dialect(against) else {
        return Ok(match script::parse(text, Dialect::LINUX.defined) {
            Ok(script) => Ok(live::replay(&script)?),
            Err(error) => Err(error),
        });
    };
    Ok(judge(text, &dialect))
}

/// The model that is meant; none for the kernel.
const fn dialect(against: Against) -> Option<Dialect> {
    match against {
        Against::Linux => Some(Dialect::LINUX),
        Against::Rfc9293 => Some(Dialect::RFC_9293),
        Against::FreeBsd => Some(Dialect::FREE_BSD),
        Against::Kernel => None,
    }
}

fn name(against: Against) -> &'static str {
    dialect(against).map_or("this machine's kernel", |dialect| dialect.profile.name)
}

/// The scripts that are meant, in the order of their names.
fn scripts(args: &ReplayArgs) -> Result<Vec<PathBuf>, Error> {
    let Some(suite) = &args.suite else { return Ok(args.files.clone()) };
    if !args.files.is_empty() {
        return Ok(args.files.iter().map(|file| suite.join(file)).collect());
    }
    let mut found = Vec::new();
    below(suite, &mut found)?;
    if found.is_empty() {
        return Err(Error::new(format!("there is no script (*.pkt) in {}", suite.display())));
    }
    found.sort();
    Ok(found)
}

/// Collects the scripts of a directory and of those in it; links are not followed, so that this ends.
fn below(directory: &Path, found: &mut Vec<PathBuf>) -> Result<(), Error> {
    let failed = |cause| {
        Error::new(format!("failed to read the directory {}: {cause}", directory.display()))
    };
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() {
            below(&path, found)?;
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "pkt") {
            found.push(path);
        }
    }
    Ok(())
}

/// The text of a script. Comments may hold bytes that are no UTF-8; what is no script is not read to its end.
fn read(path: &Path) -> Result<String, Error> {
    let failed =
        |cause: &dyn std::fmt::Display| format!("failed to read {}: {cause}", path.display());
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|cause| Error::new(failed(&cause)))?;
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(|cause| Error::new(failed(&cause)))?;
    if bytes.len() as u64 > LONGEST {
        return Err(Error::new(failed(&"it is longer than 1 MiB, which no script is")));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn exit(judged: &[report::Judged]) -> Exit {
    let any = |is: fn(&report::Judged) -> bool| judged.iter().any(is);
    if any(|one| one.verdict.is_err()) {
        Exit::Error
    } else if any(|one| matches!(one.verdict, Ok(Verdict::Fail(_)))) {
        Exit::No
    } else if any(|one| matches!(one.verdict, Ok(Verdict::Skipped(_)))) {
        Exit::Partly
    } else {
        Exit::Yes
    }
}

const LONGEST: u64 = 1024 * 1024;
