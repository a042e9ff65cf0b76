//! `cargo xtask layers`: the architecture as a check.
//!
//! Three rules: dependencies between our crates point down only; `unsafe` stands where the system calls are; the model
//! names nothing that does I/O or tells the time. A crate without a place in the table fails until it is given one.

mod sources;

use crate::step::Failure;
use crate::workspace::{Package, Workspace};
use std::fmt;

/// A crate and those of ours that it may name.
struct Layer {
    name: &'static str,
    may_use: &'static [&'static str],
}

const MODEL: &str = "lastack-model";
const OS: &str = "lastack-os";
const GRACEFUL: &str = "lastack-graceful";
const TRACE: &str = "lastack-trace";
const HOLD: &str = "lastack-hold";
const RSH: &str = "lastack-rsh";
const CLI: &str = "lastack";
const LAB: &str = "lastack-lab";
const XTASK: &str = "xtask";

/// From the bottom up.
const LAYERS: &[Layer] = &[
    Layer { name: MODEL, may_use: &[] },
    Layer { name: OS, may_use: &[MODEL] },
    Layer { name: GRACEFUL, may_use: &[MODEL, OS] },
    Layer { name: TRACE, may_use: &[MODEL, OS] },
    Layer { name: HOLD, may_use: &[MODEL, OS] },
    Layer { name: RSH, may_use: &[MODEL, OS, GRACEFUL] },
    Layer { name: CLI, may_use: &[MODEL, OS, GRACEFUL, TRACE, HOLD, RSH] },
    Layer { name: LAB, may_use: &[MODEL, OS, GRACEFUL, TRACE, HOLD, RSH, CLI] },
    Layer { name: XTASK, may_use: &[MODEL, OS, GRACEFUL, TRACE, HOLD, RSH, CLI, LAB] },
];

/// Command lines and JSON are the program's business; libraries stay free of them.
const OF_THE_PROGRAM: &[&str] = &["clap", "clap_complete", "clap_mangen", "serde_json"];
const PROGRAMS: &[&str] = &[CLI, LAB, XTASK];

/// What breaks a rule, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Violation {
    Arrow { from: String, to: String },
    NoPlace { package: String },
    OfTheProgram { package: String, dependency: String },
    Unsafe { file: String, line: usize },
    Impure { file: String, line: usize, name: String },
}

pub(crate) fn run() -> Result<(), Failure> {
    let workspace = Workspace::read()?;
    let mut violations = in_packages(&workspace.packages);
    let files = sources::read(&workspace.root)?;
    violations.extend(files.iter().flat_map(sources::Source::violations));
    if !violations.is_empty() {
        return Err(Failure::findings("the layers are broken (see ARCHITECTURE.md):", &violations));
    }
    eprintln!("xtask: layers hold: {} crates, {} files", workspace.packages.len(), files.len());
    Ok(())
}

fn in_packages(packages: &[Package]) -> Vec<Violation> {
    packages.iter().flat_map(|package| in_package(package, packages)).collect()
}

fn in_package(package: &Package, all: &[Package]) -> Vec<Violation> {
    let Some(layer) = LAYERS.iter().find(|layer| layer.name == package.name) else {
        return vec![Violation::NoPlace { package: package.name.clone() }];
    };
    let is_ours = |name: &str| {
        LAYERS.iter().any(|layer| layer.name == name) || all.iter().any(|other| other.name == name)
    };
    let judge = |dependency: &String| {
        let name = dependency.as_str();
        if is_ours(name) && !layer.may_use.contains(&name) {
            Some(Violation::Arrow { from: package.name.clone(), to: dependency.clone() })
        } else if OF_THE_PROGRAM.contains(&name) && !PROGRAMS.contains(&layer.name) {
            let package = package.name.clone();
            Some(Violation::OfTheProgram { package, dependency: dependency.clone() })
        } else {
            None
        }
    };
    package.dependencies.iter().filter_map(judge).collect()
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arrow { from, to } => write!(f, "{from} must not depend on {to}"),
            Self::NoPlace { package } => {
                write!(f, "{package} has no layer (give it one in xtask/src/layers.rs)")
            }
            Self::OfTheProgram { package, dependency } => {
                write!(f, "{package} must not depend on {dependency}: only {}", PROGRAMS.join(", "))
            }
            Self::Unsafe { file, line } => {
                write!(f, "{file}:{line}: unsafe outside {}*", sources::SYSTEM_CALLS)
            }
            Self::Impure { file, line, name } => {
                write!(f, "{file}:{line}: the model must not name {name}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &[&str]) -> Package {
        Package {
            name: name.into(),
            dependencies: dependencies.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    #[test]
    fn arrows_that_point_down_are_fine() {
        let packages = [
            package(MODEL, &["serde", "proptest"]),
            package(OS, &[MODEL, "rustix"]),
            package(CLI, &[MODEL, OS, "clap", "serde_json"]),
            package(XTASK, &[CLI, LAB, "serde_json"]),
        ];
        assert_eq!(in_packages(&packages), []);
    }

    #[test]
    fn an_arrow_that_points_up_or_sideways_is_named() {
        for (from, to) in [(MODEL, OS), (OS, CLI), (TRACE, HOLD), (RSH, TRACE), (LAB, XTASK)] {
            let expected = Violation::Arrow { from: from.into(), to: to.into() };
            assert_eq!(in_packages(&[package(from, &[to])]), [expected]);
        }
    }

    #[test]
    fn a_crate_without_a_layer_is_named() {
        let expected = Violation::NoPlace { package: "lastack-more".into() };
        assert_eq!(in_packages(&[package("lastack-more", &[])]), [expected]);
    }

    #[test]
    fn a_library_that_parses_command_lines_or_json_is_named() {
        for dependency in OF_THE_PROGRAM {
            let found = in_packages(&[package(OS, &[dependency])]);
            let is_named = matches!(&found[..], [Violation::OfTheProgram { .. }]);
            assert!(is_named, "{dependency}: {found:?}");
        }
    }

    #[test]
    fn the_table_names_only_lower_layers() {
        for (index, layer) in LAYERS.iter().enumerate() {
            for used in layer.may_use {
                let is_below = LAYERS[..index].iter().any(|below| below.name == *used);
                assert!(is_below, "{} may use {used}, which is not below it", layer.name);
            }
        }
    }
}
