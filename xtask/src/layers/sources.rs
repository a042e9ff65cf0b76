//! What the source files themselves must not say.

use super::Violation;
use crate::source::{self, Token};
use crate::step::{self, Failure};
use std::fs;
use std::path::Path;

/// Files whose path starts so may hold `unsafe`.
pub(crate) const SYSTEM_CALLS: &str = "crates/os/src/sys";

const MODEL: &str = "crates/model/src/";
const FOLDERS: &[&str] = &["crates", "lab", "xtask", "fuzz/fuzz_targets"];

/// Names that mean I/O wherever they stand.
const IMPURE_NAMES: &[&str] = &["TcpListener", "TcpStream", "UdpSocket"];
/// Modules of std that mean I/O, whatever is taken from them; a glob or `self` would hide what is.
const IMPURE_MODULES: &[&str] = &["fs", "io", "process", "env", "self", "*"];
/// Clocks. Naming the whole module would hide them.
const CLOCKS: &[&str] = &["time", "time::Instant", "time::SystemTime", "time::*", "time::self"];

/// A source file, its path relative to the workspace.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn violations(&self) -> Vec<Violation> {
        let blanked = source::without_comments_and_literals(&self.text);
        let tokens = source::tokens(&blanked);
        let mut found = Vec::new();
        if !self.path.starts_with(SYSTEM_CALLS) {
            let is_unsafe = |token: &&Token<'_>| token.text == "unsafe";
            found.extend(tokens.iter().filter(is_unsafe).map(|token| self.unsafety(token.line)));
        }
        if self.path.starts_with(MODEL) {
            let names = tokens.iter().filter(|token| IMPURE_NAMES.contains(&token.text));
            found.extend(names.map(|token| self.impurity(token.line, token.text)));
            let paths = source::std_paths(&tokens).into_iter().filter(|(_, path)| is_impure(path));
            found.extend(paths.map(|(line, path)| self.impurity(line, &format!("std::{path}"))));
        }
        found
    }

    fn unsafety(&self, line: usize) -> Violation {
        Violation::Unsafe { file: self.path.clone(), line }
    }

    fn impurity(&self, line: usize, name: &str) -> Violation {
        Violation::Impure { file: self.path.clone(), line, name: name.into() }
    }
}

/// Every Rust source file of ours.
pub(crate) fn read(root: &Path) -> Result<Vec<Source>, Failure> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        read_folder(root, &root.join(folder), &mut found)?;
    }
    Ok(found)
}

fn read_folder(root: &Path, folder: &Path, found: &mut Vec<Source>) -> Result<(), Failure> {
    let failed = |cause| Failure::new(format!("failed to list {}: {cause}", folder.display()));
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            read_folder(root, &path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            found.push(Source { path: name, text: step::read(&path)? });
        }
    }
    Ok(())
}

fn is_impure(path: &str) -> bool {
    let module = path.split("::").next().unwrap_or(path);
    IMPURE_MODULES.contains(&module)
        || CLOCKS.contains(&path)
        || CLOCKS[1..3].iter().any(|clock| path.starts_with(&format!("{clock}::")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        let source = Source { path: path.into(), text: text.into() };
        source.violations().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn unsafe_stands_only_where_the_system_calls_are() {
        let code = "fn f() {\n    unsafe { g() }\n}";
        assert_eq!(
            findings("crates/os/src/holders.rs", code),
            ["crates/os/src/holders.rs:2: unsafe outside crates/os/src/sys*"]
        );
        for path in ["crates/os/src/sys.rs", "crates/os/src/sys/pidfd.rs"] {
            assert!(findings(path, code).is_empty(), "{path}");
        }
    }

    #[test]
    fn speaking_of_unsafe_is_not_using_it() {
        let code = "//! no unsafe here\n#![forbid(unsafe_code)]\nconst A: &str = \"unsafe\";";
        assert!(findings("crates/cli/src/main.rs", code).is_empty());
    }

    #[test]
    fn the_model_names_no_io_and_no_clock() {
        for code in [
            "use std::net::TcpListener;",
            "use std::{fmt, fs};",
            "let home = std::env::var(\"HOME\");",
            "fn f(w: &mut dyn std::io::Write) {}",
            "use std::time::{Duration, Instant};",
            "let now = std::time::SystemTime::now();",
            "use std::time;",
            "std::process::exit(1)",
        ] {
            assert_eq!(findings("crates/model/src/why.rs", code).len(), 1, "{code}");
            assert!(findings("crates/os/src/why.rs", code).is_empty(), "{code}");
        }
    }

    #[test]
    fn plain_data_of_std_is_fine_in_the_model() {
        let code =
            "use std::{fmt, net::{IpAddr, SocketAddr}};\nuse std::time::Duration;\nstruct Instant;";
        assert!(findings("crates/model/src/time.rs", code).is_empty());
    }
}
