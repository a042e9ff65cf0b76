//! `lastack check replay FILE…`: scripts against the model of a system, or against this machine's kernel. Reads files;
//! for the kernel it makes network namespaces that end with their script, and touches nothing else.

use crate::args::{Against, ReplayArgs};
use crate::error::Error;
use crate::exit::Exit;
use crate::report::check::{lines, replay as report};
use crate::report::figure::{self, Paper};
use crate::report::page::{self, Page};
use crate::verdicts::{Difference, Extent, Table};
use lastack_model::draw::canvas::Strokes;
use lastack_model::ladder::Ladder;
use lastack_model::script;
use lastack_model::script::replay::{Dialect, Verdict, judge};
use lastack_os::live;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Replays what was asked.
pub(super) fn run(args: &ReplayArgs) -> Result<Exit, Error> {
    if args.ladder && args.against == Against::Kernel {
        return Err(Error::new(
            "a run against the kernel cannot be drawn (--ladder is for models)",
        ));
    }
    let system = name(args.against);
    let expected = args.expect.as_deref().map(|path| known_to(path, system)).transpose()?;
    let written = args.write_table.as_deref().map(Table::read_or_new).transpose()?;
    let mut judged = Vec::new();
    let mut drawn = Vec::new();
    for path in scripts(args)? {
        let text = read(&path)?;
        let verdict = verdict(&text, args.against)?;
        // What is below a suite is named from there.
        let inside = args.suite.as_ref().and_then(|suite| path.strip_prefix(suite).ok());
        let name = inside.unwrap_or(&path).display().to_string();
        if args.ladder {
            drawn.extend(ladder(&text, &name, args.against));
        }
        let one = report::Judged { name, verdict };
        if args.output.json {
            page::print(&lines::script(&one, system, expected.as_ref()))?;
        }
        judged.push(one);
    }
    if let Some((mut table, path)) = written.zip(args.write_table.as_deref()) {
        table.record(system, in_short(&judged));
        table.write(path)?;
    }
    let extent = if args.files.is_empty() { Extent::Whole } else { Extent::Part };
    let differences = expected.map(|table| table.differences(system, &in_short(&judged), extent));
    answer(args, &judged, differences.as_deref(), &drawn)
}

fn answer(
    args: &ReplayArgs,
    judged: &[report::Judged],
    differences: Option<&[Difference]>,
    drawn: &[Ladder],
) -> Result<Exit, Error> {
    let exit = match differences {
        None => exit(judged),
        Some([]) => Exit::Yes,
        Some(_) => Exit::No,
    };
    let system = name(args.against);
    if args.output.json {
        page::print(&lines::summary(judged, system, differences.map(<[_]>::len), exit))?;
        return Ok(exit);
    }
    let mut page = Page::of_terminal();
    let detail = match (&args.suite, args.each) {
        (Some(_), false) => report::Detail::Counts,
        (Some(_), true) => report::Detail::CountsAndEach,
        (None, _) => report::Detail::Each,
    };
    let against = if args.against == Against::Kernel { "this machine's kernel" } else { system };
    report::write(&mut page, judged, against, detail);
    if let Some((differences, table)) = differences.zip(args.expect.as_deref()) {
        report::differences(&mut page, differences, &table.display().to_string());
    }
    page.print()?;
    for ladder in drawn {
        let mut paper = Paper::new(Strokes::Box, page::width());
        figure::ladder(&mut paper, ladder);
        page::print(&format!("\n{}", paper.into_text()))?;
    }
    Ok(exit)
}

/// The table in a file, which says what is expected of this system.
fn known_to(path: &Path, system: &str) -> Result<Table, Error> {
    let table = Table::read(path)?;
    if table.knows(system) {
        return Ok(table);
    }
    Err(Error::new(format!("the table {} has no column for {system}", path.display())))
}

fn in_short(judged: &[report::Judged]) -> Vec<(String, String)> {
    judged.iter().map(|one| (one.name.clone(), one.in_short())).collect()
}

/// What happens in a script that can be read.
fn ladder(text: &str, name: &str, against: Against) -> Option<Ladder> {
    let dialect = dialect(against)?;
    let script = script::parse(text, dialect.defined).ok()?;
    Some(script::replay::ladder(&script, &dialect, name))
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
    dialect(against).map_or("kernel", |dialect| dialect.profile.name)
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
pub(in crate::commands) fn read(path: &Path) -> Result<String, Error> {
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
    let any = |wanted: &Exit| judged.iter().any(|one| one.exit() == *wanted);
    [Exit::Error, Exit::No, Exit::Partly].into_iter().find(any).unwrap_or(Exit::Yes)
}

const LONGEST: u64 = 1024 * 1024;
