//! `cargo xtask lint`: what must hold of the code before anybody reads it.

use crate::layers;
use crate::step::{self, Failure};
use crate::workspace::Workspace;

pub(crate) fn run() -> Result<(), Failure> {
    let root = Workspace::read()?.root;
    let cargo = |words: &[&str]| {
        let mut command = step::cargo();
        command.args(words).current_dir(&root);
        command
    };
    step::run(&mut cargo(&["fmt", "--all", "--check"]))?;
    step::run(&mut cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "-D",
        "warnings",
    ]))?;
    for features in FEATURES {
        let words = ["clippy", "--package", "lastack-graceful", "--lib", "--features", features];
        step::run(cargo(&words).args(["--", "-D", "warnings"]))?;
    }
    step::run(
        cargo(&["doc", "--workspace", "--all-features", "--no-deps"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )?;
    layers::run()?;
    if step::find_program("cargo-deny").is_none() {
        eprintln!(
            "xtask: cargo-deny is not installed, so bans, licences and sources were not checked \
             (cargo install --locked cargo-deny)"
        );
        return Ok(());
    }
    step::run(&mut cargo(&["deny", "check", "bans", "licenses", "sources"]))
}

/// Each of the library's features without the others, and none.
const FEATURES: [&str; 7] = ["", "tokio", "hyper", "axum", "rustls", "tokio-rustls", "explain"];
