//! `cargo xtask semver [REVISION]`: whether programs that used the libraries of the last release still compile.
//!
//! The last release is the newest tag `v*` that this commit has behind it. cargo-semver-checks compares the public items
//! of each library with that tag, all features on: what was removed or changed needs a new version number first. It is
//! installed into target/tools, in the version that the tests were written against.

use crate::step::{self, Failure};
use crate::workspace::Workspace;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What other programs build on. `lastack` itself is used by its command line.
const LIBRARIES: &[&str] = &["lastack-model", "lastack-os", "lastack-graceful", "lastack-rsh"];

/// Its version decides which compilers it understands: this one those of Rust 1.95 and some before.
const TOOL_VERSION: &str = "0.48.0";

pub(crate) fn run(named: Option<&str>) -> Result<(), Failure> {
    let workspace = Workspace::read()?;
    let baseline = match named {
        Some(revision) => Some(revision.to_owned()),
        None => last_release(&workspace.root)?,
    };
    let Some(baseline) = baseline else {
        eprintln!(
            "xtask: nothing is released: no tag v* is behind this commit, so there is no promise \
             to break. From the first such tag on these are compared with the last: {}. \
             `cargo xtask semver REVISION` compares with any commit.",
            LIBRARIES.join(", ")
        );
        return Ok(());
    };
    let commit = commit(&workspace.root, &baseline)?;
    let compared: Vec<&str> =
        LIBRARIES.iter().copied().filter(|it| existed(&workspace.root, &commit, it)).collect();
    if compared.is_empty() {
        let none = LIBRARIES.join(", ");
        return Err(Failure::new(format!(
            "failed to compare with {baseline}: it has none of {none}"
        )));
    }
    let tool = installed_tool(&workspace.target.join("tools"))?;
    eprintln!("xtask: comparing {} with {baseline} ({commit})", compared.join(", "));
    let mut check = Command::new(tool);
    check.args(["semver-checks", "--all-features", "--baseline-rev", &commit]);
    for library in compared {
        check.args(["--package", library]);
    }
    step::run(check.current_dir(&workspace.root))
}

/// The newest release behind this commit, if there is one.
fn last_release(root: &Path) -> Result<Option<String>, Failure> {
    let mut list = git(root);
    list.args(["tag", "--list", "v*", "--merged", "HEAD", "--sort=-version:refname"]);
    let output = list.output().map_err(|cause| step::not_started(&list, &cause))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::new(format!("failed to list the releases: {}", said.trim())));
    }
    Ok(newest(&String::from_utf8_lossy(&output.stdout)))
}

/// The first tag that is `v` and a version, without a part that says it is none yet (`v1.0.0-rc.1`).
fn newest(tags: &str) -> Option<String> {
    let is_release = |tag: &&str| {
        tag.strip_prefix('v').is_some_and(|version| {
            let numbers: Vec<_> = version.split('.').collect();
            numbers.len() == 3 && numbers.iter().all(|number| number.parse::<u32>().is_ok())
        })
    };
    tags.lines().map(str::trim).find(is_release).map(ToOwned::to_owned)
}

/// The commit that a name means, which also keeps a name from being taken for an option.
fn commit(root: &Path, revision: &str) -> Result<String, Failure> {
    let mut resolve = git(root);
    resolve.args(["rev-parse", "--verify", "--quiet", "--end-of-options"]);
    resolve.arg(format!("{revision}^{{commit}}"));
    let output = resolve.output().map_err(|cause| step::not_started(&resolve, &cause))?;
    if !output.status.success() {
        return Err(Failure::new(format!("failed to find a commit called {revision:?}")));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn existed(root: &Path, commit: &str, library: &str) -> bool {
    let folder = library.strip_prefix("lastack-").unwrap_or(library);
    let mut look = git(root);
    look.args(["cat-file", "-e", &format!("{commit}:crates/{folder}/Cargo.toml")]);
    look.output().is_ok_and(|output| output.status.success())
}

/// Without a connection to the registry, which would be asked for releases there: ours are tags.
fn installed_tool(into: &Path) -> Result<PathBuf, Failure> {
    let tool = into.join("bin/cargo-semver-checks");
    if !tool.exists() {
        let mut install = step::cargo();
        install.args(["install", "--locked", "cargo-semver-checks", "--version", TOOL_VERSION]);
        step::run(install.args(["--no-default-features", "--root"]).arg(into))?;
    }
    Ok(tool)
}

fn git(root: &Path) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(root);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_release_is_the_first_tag_that_is_a_version() {
        let tags = "v2.0.0-rc.1\nvarious\nv1.10.0\nv1.9.3\n";
        assert_eq!(newest(tags).as_deref(), Some("v1.10.0"));
        assert_eq!(newest("various\nv1\n"), None);
    }

    #[test]
    fn the_libraries_are_packages_of_this_workspace() {
        let workspace = Workspace::read().expect("the workspace");
        for library in LIBRARIES {
            assert!(workspace.packages.iter().any(|package| package.name == *library), "{library}");
        }
    }
}
