//! `cargo xtask bench WHAT`: what lastack costs beside what others cost for the same answer.
//!
//! A benchmark builds its scene in a network namespace of its own, runs everything in turn and prints what it saw with
//! the goal beside it. It never fails for being slow.

mod crowd;
pub(crate) mod free;
mod race;
pub(crate) mod rsh;
mod table;
pub(crate) mod wait;
pub(crate) mod why;

use crate::step::{self, Failure};
use crate::workspace::Workspace;
use std::path::PathBuf;

/// Those of `lab` that take no words; each tells what it measures.
pub(crate) const IN_LAB: [&str; 5] = ["close", "echo", "explore", "listener", "prompt"];

/// `cargo xtask bench NAME` for one of these.
pub(crate) fn in_lab(name: &str) -> Result<(), Failure> {
    let arguments = ["bench", "--package", "lastack-lab", "--bench", name];
    step::run(step::cargo().args(arguments).current_dir(Workspace::read()?.root))
}

/// The programs of this workspace that a benchmark runs, optimised.
struct Programs {
    lastack: PathBuf,
    crowd: PathBuf,
    holder: PathBuf,
    busy: PathBuf,
}

impl Programs {
    fn build() -> Result<Self, Failure> {
        let workspace = Workspace::read()?;
        for package in ["lastack", "lastack-lab"] {
            let arguments = ["build", "--release", "--package", package, "--bins"];
            step::run(step::cargo().args(arguments).current_dir(&workspace.root))?;
        }
        let folder = workspace.target.join("release");
        Ok(Self {
            lastack: folder.join("lastack"),
            crowd: folder.join("crowd"),
            holder: folder.join("holder"),
            busy: folder.join("busy"),
        })
    }
}
