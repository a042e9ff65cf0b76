//! `cargo xtask fuzz [SECONDS]`: runs every fuzz target for a share of the time and fails on a finding.
//!
//! cargo-fuzz is installed into target/tools, not into the user's home. The stable compiler is told to accept the
//! sanitizer options that fuzzing needs; nothing else is ever built so.

use crate::packages;
use crate::step::{self, Failure};
use crate::workspace::Workspace;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) const DEFAULT_SECONDS: u64 = 60;
/// Less than this finds nothing: start-up and the seeds take their share.
const LEAST_SECONDS: u64 = 15;

pub(crate) fn seconds(word: &str) -> Result<u64, Failure> {
    word.parse().map_err(|cause| Failure::new(format!("failed to read SECONDS {word:?}: {cause}")))
}

pub(crate) fn run(seconds: u64) -> Result<(), Failure> {
    let workspace = Workspace::read()?;
    packages::ensure(packages::FOR_FUZZING)?;
    let tool = installed_tool(&workspace.target.join("tools"))?;
    let folder = workspace.root.join("fuzz");
    let targets = targets(&folder)?;
    step::run(fuzz(&tool, &workspace.root).arg("build"))?;
    for target in &targets {
        run_target(fuzz(&tool, &workspace.root), target, &folder, share(seconds, targets.len()))?;
    }
    eprintln!("xtask: no finding in {}", targets.join(", "));
    Ok(())
}

fn installed_tool(into: &Path) -> Result<PathBuf, Failure> {
    let tool = into.join("bin/cargo-fuzz");
    if !tool.exists() {
        step::run(step::cargo().args(["install", "--locked", "cargo-fuzz", "--root"]).arg(into))?;
    }
    Ok(tool)
}

fn fuzz(tool: &Path, root: &Path) -> Command {
    let mut command = Command::new(tool);
    command.env("RUSTC_BOOTSTRAP", "1").current_dir(root);
    command
}

/// The first folder is where libFuzzer keeps what it learns; the seeds are only read.
fn run_target(mut tool: Command, target: &str, folder: &Path, seconds: u64) -> Result<(), Failure> {
    let corpus = folder.join("corpus").join(target);
    fs::create_dir_all(&corpus)
        .map_err(|cause| Failure::new(format!("failed to create {}: {cause}", corpus.display())))?;
    tool.args(["run", target]).arg(corpus);
    let seeds = folder.join("seeds").join(target);
    if seeds.exists() {
        tool.arg(seeds);
    }
    step::run(tool.args([
        "--",
        &format!("-max_total_time={seconds}"),
        "-verbosity=0",
        "-print_final_stats=1",
    ]))
}

fn targets(folder: &Path) -> Result<Vec<String>, Failure> {
    let sources = folder.join("fuzz_targets");
    let failed = |cause| Failure::new(format!("failed to list {}: {cause}", sources.display()));
    let mut names = Vec::new();
    for entry in fs::read_dir(&sources).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    names.sort_unstable();
    if names.is_empty() {
        return Err(Failure::new(format!("failed to fuzz: no target in {}", sources.display())));
    }
    Ok(names)
}

fn share(seconds: u64, targets: usize) -> u64 {
    (seconds / targets.max(1) as u64).max(LEAST_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_shared_but_never_uselessly_short() {
        assert_eq!(share(300, 3), 100);
        assert_eq!(share(60, 12), LEAST_SECONDS);
    }

    #[test]
    fn seconds_that_are_no_number_are_refused_by_name() {
        assert!(seconds("soon").unwrap_err().to_string().contains("\"soon\""));
        assert_eq!(seconds("90").unwrap(), 90);
    }
}
