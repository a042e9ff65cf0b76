//! The programs that tests call, and the Debian packages that bring them.
//!
//! Root installs what is missing; anybody else is told what is missing and how to get it. No service is started: the
//! unit of a server's package is masked until the package is in place.

use crate::step::{self, Failure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program and the Debian package that has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Program {
    name: &'static str,
    package: &'static str,
}

/// What the end-to-end tests call.
pub(crate) const FOR_TESTS: &[Program] = &[
    Program { name: "ss", package: "iproute2" },
    Program { name: "ip", package: "iproute2" },
    Program { name: "tc", package: "iproute2" },
    Program { name: "curl", package: "curl" },
    Program { name: "python3", package: "python3" },
    Program { name: "node", package: "nodejs" },
    Program { name: "java", package: "default-jre-headless" },
    Program { name: "nginx", package: "nginx" },
    Program { name: "setpriv", package: "util-linux" },
    Program { name: "unshare", package: "util-linux" },
    Program { name: "supervisord", package: "supervisor" },
    Program { name: "runsv", package: "runit" },
    Program { name: "s6-supervise", package: "s6" },
    Program { name: "supervise", package: "daemontools" },
    Program { name: "watchmedo", package: "python3-watchdog" },
    Program { name: "systemctl", package: "systemd" },
    Program { name: "systemd-socket-activate", package: "systemd" },
    Program { name: "pgrep", package: "procps" },
    Program { name: "nsenter", package: "util-linux" },
    Program { name: "script", package: "bsdutils" },
    Program { name: "npm", package: "npm" },
    Program { name: "dot", package: "graphviz" },
    Program { name: "xmllint", package: "libxml2-utils" },
];

/// What building a fuzz target needs: libFuzzer is C++.
pub(crate) const FOR_FUZZING: &[Program] = &[Program { name: "c++", package: "g++" }];

/// What npm has and no distribution does, in the versions that the tests were written against.
const NPM_PACKAGES: &[&str] = &["nodemon@3.1.14", "pm2@7.0.4"];

/// The programs in those packages.
const NPM_PROGRAMS: &[&str] = &["nodemon", "pm2"];

/// Packages that would start a server when installed, by the name of their unit.
const SERVERS: &[&str] = &["nginx", "supervisor"];

/// Installs what is missing, or says what an ordinary user's tests will lack.
pub(crate) fn ensure(programs: &[Program]) -> Result<(), Failure> {
    let missing = missing(programs, |name| step::find_program(name).is_some());
    if missing.is_empty() {
        return Ok(());
    }
    let packages = packages(&missing);
    let names: Vec<_> = missing.iter().map(|program| program.name).collect();
    let command = format!("apt-get install --no-install-recommends {}", packages.join(" "));
    let say = |why: &str| eprintln!("xtask: missing {}: {why}: {command}", names.join(", "));
    if !is_root() {
        say("not root, so nothing is installed and some tests will fail; as root run");
        return Ok(());
    }
    if step::find_program("apt-get").is_none() {
        say("no apt-get here; install with your package manager what on Debian is");
        return Ok(());
    }
    say("installing");
    install(&packages)
}

/// Installs what no distribution packages below a directory, unless it is there, and returns where the programs are.
pub(crate) fn from_npm(target: &Path) -> PathBuf {
    let directory = target.join("npm");
    let programs = directory.join("node_modules/.bin");
    if !NPM_PROGRAMS.iter().all(|name| programs.join(name).exists()) {
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-fund", "--no-audit", "--prefix"]).arg(&directory);
        npm.args(NPM_PACKAGES).stdin(std::process::Stdio::null());
        if let Err(failure) = step::run(&mut npm) {
            eprintln!("xtask: without {} some tests will fail: {failure}", NPM_PACKAGES.join(", "));
        }
    }
    programs
}

/// Whether this is root, by the owner of its own /proc entry: there is no safe `geteuid` in std.
pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|entry| entry.uid() == 0)
}

fn install(packages: &[&str]) -> Result<(), Failure> {
    step::run(apt_get().arg("update"))?;
    let masked: Vec<&str> = SERVERS
        .iter()
        .copied()
        .filter(|server| packages.contains(server) && Path::new("/run/systemd/system").exists())
        .collect();
    for server in &masked {
        step::run(Command::new("systemctl").args(["mask", "--runtime", server]))?;
    }
    let installed =
        step::run(apt_get().args(["install", "--yes", "--no-install-recommends"]).args(packages));
    for server in &masked {
        step::run(Command::new("systemctl").args(["unmask", "--runtime", server]))?;
    }
    installed
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    // stdin closed and no dialogue: a question would wait for ever.
    command.env("DEBIAN_FRONTEND", "noninteractive").stdin(std::process::Stdio::null());
    command
}

fn missing(programs: &[Program], is_present: impl Fn(&str) -> bool) -> Vec<Program> {
    programs.iter().copied().filter(|program| !is_present(program.name)).collect()
}

fn packages(programs: &[Program]) -> Vec<&'static str> {
    let mut packages: Vec<_> = programs.iter().map(|program| program.package).collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_programs_of_one_package_install_it_once() {
        let absent = missing(FOR_TESTS, |name| !["ss", "ip", "nginx"].contains(&name));
        assert_eq!(packages(&absent), ["iproute2", "nginx"]);
    }

    #[test]
    fn nothing_is_installed_when_all_is_there() {
        assert!(missing(FOR_TESTS, |_| true).is_empty());
    }

    #[test]
    fn every_server_is_a_package_of_the_table() {
        for server in SERVERS {
            assert!(FOR_TESTS.iter().any(|program| program.package == *server), "{server}");
        }
    }
}
