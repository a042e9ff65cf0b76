//! `cargo xtask test`: everything a fresh machine needs to run every test, and the counts at the end.
//!
//! It skips nothing on its own: a test that lacks a privilege fails and says how to get it.

mod counts;
mod leftovers;

use crate::packages;
use crate::step::{self, Failure};
use crate::workspace::Workspace;
use counts::Counts;
use std::io::{BufRead, BufReader, Write as _};
use std::process::{ExitCode, ExitStatus, Stdio};

pub(crate) fn run() -> Result<ExitCode, Failure> {
    let workspace = Workspace::read()?;
    packages::ensure(packages::FOR_TESTS)?;
    if !packages::is_root() {
        eprintln!(
            "xtask: the tests in lab/ create network namespaces and need root: \
             run `sudo -E env PATH=\"$PATH\" cargo xtask test`"
        );
    }
    for what in [["--package", "lastack"], ["--workspace", "--examples"]] {
        step::run(step::cargo().arg("build").args(what).current_dir(&workspace.root))?;
    }
    let (counts, status) = cargo_test(&workspace)?;
    if counts.failed == 0 && !status.success() {
        eprintln!("xtask: cargo test ended with {status} though no counted test failed; see above");
    }
    step::say(&format!("{counts}\n"))?;
    let file = workspace.target.join(COUNTS);
    std::fs::write(&file, format!("{counts}\n")).map_err(|cause| {
        Failure::new(format!("failed to write the counts to {}: {cause}", file.display()))
    })?;
    let passed = status.success() && counts.failed == 0 && counts.passed > 0;
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn cargo_test(workspace: &Workspace) -> Result<(Counts, ExitStatus), Failure> {
    let mut command = step::cargo();
    command
        .args(["test", "--workspace", "--no-fail-fast"])
        .current_dir(&workspace.root)
        .env("LASTACK_BIN", workspace.target.join("debug/lastack"))
        .env("LASTACK_NPM_PROGRAMS", packages::from_npm(&workspace.target))
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let adopted = leftovers::adopt();
    let mut child = command.spawn().map_err(|cause| step::not_started(&command, &cause))?;
    let output = child.stdout.take();
    let reader = std::thread::spawn(move || output.map_or_else(|| Ok(Counts::default()), pass_on));
    let status = child.wait().map_err(|cause| step::not_started(&command, &cause))?;
    // Whoever is left behind may hold the output open, whose end the reader waits for.
    if adopted {
        leftovers::end();
    }
    let counts = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let counts =
        counts.map_err(|cause| Failure::new(format!("failed to pass on test output: {cause}")))?;
    Ok((counts, status))
}

/// Copies lines as they come and counts; bytes, because a failing test may print anything.
fn pass_on(output: impl std::io::Read) -> std::io::Result<Counts> {
    let mut counts = Counts::default();
    let mut reader = BufReader::new(output);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        counts.add_line(&String::from_utf8_lossy(&line));
        std::io::stdout().write_all(&line)?;
        line.clear();
    }
    Ok(counts)
}

/// Where the counts of the last run stand, below the target directory, for whoever started it.
const COUNTS: &str = "test-counts";
