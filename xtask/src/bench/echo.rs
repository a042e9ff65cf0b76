//! `cargo xtask bench echo`: what an orderly close costs, beside a plain one.
//!
//! The bench is `lab/benches/echo.rs`.

use crate::step::{self, Failure};
use crate::workspace::Workspace;

pub(crate) fn run() -> Result<(), Failure> {
    let workspace = Workspace::read()?;
    let arguments = ["bench", "--package", "lastack-lab", "--bench", "echo"];
    step::run(step::cargo().args(arguments).current_dir(&workspace.root))
}
