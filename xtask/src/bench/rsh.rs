//! `cargo xtask bench rsh [COMMANDS] [PART...]`: commands over rsh and ssh beside the clients there are, and what is left
//! in `TIME_WAIT` on either side.
//!
//! The bench is `lab/benches/rsh.rs`.

use super::Programs;
use crate::packages;
use crate::step::{self, Failure};
use crate::workspace::Workspace;

pub(crate) fn run(words: &[&str]) -> Result<(), Failure> {
    packages::ensure(packages::FOR_TESTS)?;
    let programs = Programs::build()?;
    let arguments = ["bench", "--package", "lastack-lab", "--bench", "rsh", "--"];
    let mut bench = step::cargo();
    bench.args(arguments).args(words).env("LASTACK_BIN", programs.lastack);
    step::run(bench.current_dir(Workspace::read()?.root))
}
