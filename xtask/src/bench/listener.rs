//! `cargo xtask bench listener`: how many requests fail while one listener follows another, by how the old one is closed.
//!
//! The bench is `lab/benches/listener.rs`; `LASTACK_REQUESTS` is the number of requests of each, 500,000 if not set.

use crate::step::{self, Failure};
use crate::workspace::Workspace;

pub(crate) fn run() -> Result<(), Failure> {
    let workspace = Workspace::read()?;
    let arguments = ["bench", "--package", "lastack-lab", "--bench", "listener"];
    step::run(step::cargo().args(arguments).current_dir(&workspace.root))
}
