//! Running one command and saying how it failed.

use std::env;
use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Why a task failed: operation, object, cause and remedy in one sentence.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }

    /// Many findings under one heading.
    pub(crate) fn findings(heading: &str, findings: &[impl fmt::Display]) -> Self {
        let mut lines = vec![heading.to_owned()];
        lines.extend(findings.iter().map(|finding| format!("  {finding}")));
        Self(lines.join("\n"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The cargo that runs this task.
pub(crate) fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs a command to its end, its output passed through.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    eprintln!("xtask: {}", shown(command));
    let status = command.status().map_err(|cause| not_started(command, &cause))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("failed to run {}: {status}", shown(command))))
}

pub(crate) fn not_started(command: &Command, cause: &std::io::Error) -> Failure {
    Failure::new(format!("failed to start {}: {cause}", shown(command)))
}

/// Writes to stdout, where data goes; talk goes to stderr.
pub(crate) fn say(text: &str) -> Result<(), Failure> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|cause| Failure::new(format!("failed to write to stdout: {cause}")))
}

/// Where a program is installed. Ordinary users often lack the system directories in `PATH`, hence the addition.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|cause| Failure::new(format!("failed to read {}: {cause}", path.display())))
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    std::iter::once(program)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}
