//! The programs that tests call, and the Debian packages that bring them.
//!
//! Root installs what is missing; anybody else is told what is missing and how to get it. No service is started, now or
//! at the next boot: the unit of a server's package is masked until the package is in place, then disabled, and what goes
//! into the configuration of `inetd` is withdrawn before it is read.

use crate::step::{self, Failure};
use std::io::Write as _;
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
    Program { name: "apache2", package: "apache2-bin" },
    Program { name: "haproxy", package: "haproxy" },
    Program { name: "caddy", package: "caddy" },
    Program { name: "openssl", package: "openssl" },
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
    // Not `rsh`: that name belongs to whichever package set the alternative last, `ssh` among them.
    Program { name: "netkit-rsh", package: "rsh-client" },
    Program { name: "in.rshd", package: "rsh-server" },
    Program { name: "inetd", package: "openbsd-inetd" },
    Program { name: "pdsh", package: "pdsh" },
    Program { name: "clush", package: "clustershell" },
    Program { name: "ssh", package: "openssh-client" },
    Program { name: "ssh-keygen", package: "openssh-client" },
    Program { name: "sshd", package: "openssh-server" },
    Program { name: "xargs", package: "findutils" },
];

/// What building a fuzz target needs: libFuzzer is C++.
pub(crate) const FOR_FUZZING: &[Program] = &[Program { name: "c++", package: "g++" }];

/// What npm has and no distribution does, in the versions that the tests were written against.
const NPM_PACKAGES: &[&str] = &["nodemon@3.1.14", "pm2@7.0.4"];

/// The programs in those packages.
const NPM_PROGRAMS: &[&str] = &["nodemon", "pm2"];

/// A package that would start a server when installed, and its unit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Server {
    package: &'static str,
    unit: &'static str,
}

const SERVERS: &[Server] = &[
    Server { package: "caddy", unit: "caddy" },
    Server { package: "haproxy", unit: "haproxy" },
    Server { package: "nginx", unit: "nginx" },
    Server { package: "supervisor", unit: "supervisor" },
    Server { package: "openbsd-inetd", unit: "inetd" },
    Server { package: "openssh-server", unit: "ssh" },
];

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
    let masked: Vec<&Server> = SERVERS
        .iter()
        .filter(|server| packages.contains(&server.package) && Path::new(SYSTEMD).exists())
        .collect();
    for server in &masked {
        step::run(Command::new("systemctl").args(["mask", "--runtime", server.unit]))?;
    }
    let policy = Policy::nothing_starts()?;
    let installed =
        step::run(apt_get().args(["install", "--yes", "--no-install-recommends"]).args(packages));
    drop(policy);
    for server in &masked {
        step::run(Command::new("systemctl").args(["unmask", "--runtime", server.unit]))?;
    }
    installed?;
    withdraw(packages)
}

/// Has nothing of what was just installed start at the next boot either.
fn withdraw(packages: &[&str]) -> Result<(), Failure> {
    let installed = |server: &&Server| packages.contains(&server.package);
    if step::find_program("systemctl").is_some() {
        for server in SERVERS.iter().filter(installed) {
            step::run(Command::new("systemctl").args(["disable", server.unit]))?;
        }
    }
    if packages.contains(&"rsh-server") {
        let lines = ["--pattern", "tcpd.*in[.]r", "--disable", "shell,login,exec"];
        step::run(Command::new("update-inetd").args(lines).env(UNNOTICED.0, UNNOTICED.1))?;
    }
    Ok(())
}

/// What `invoke-rc.d` asks before it starts a service, where nobody has given it an answer yet.
struct Policy;

impl Policy {
    /// From now on, and until this is dropped, no package starts its service.
    fn nothing_starts() -> Result<Option<Self>, Failure> {
        use std::os::unix::fs::OpenOptionsExt as _;
        if Path::new(POLICY).exists() {
            return Ok(None);
        }
        let mut options = std::fs::OpenOptions::new();
        let written = options
            .write(true)
            .create_new(true)
            .mode(0o755)
            .open(POLICY)
            .and_then(|mut file| file.write_all(b"#!/bin/sh\nexit 101\n"));
        written.map_err(|cause| Failure::new(format!("failed to write {POLICY}: {cause}")))?;
        Ok(Some(Self))
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if let Err(cause) = std::fs::remove_file(POLICY) {
            eprintln!("xtask: failed to remove {POLICY}, so no service starts: {cause}");
        }
    }
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    // stdin closed and no dialogue: a question would wait for ever.
    command.env("DEBIAN_FRONTEND", "noninteractive").stdin(std::process::Stdio::null());
    command.env(UNNOTICED.0, UNNOTICED.1);
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

/// Present where systemd runs.
const SYSTEMD: &str = "/run/systemd/system";
/// `rsh-server` puts its services into /etc/inetd.conf when installed; with this an `inetd` that runs is not told, and
/// does not offer them to the whole network before they are withdrawn (`DebianNet::wakeup_inetd`).
const UNNOTICED: (&str, &str) = ("UPDATE_INETD_FAKE_IT", "yes");
const POLICY: &str = "/usr/sbin/policy-rc.d";

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
            assert!(
                FOR_TESTS.iter().any(|program| program.package == server.package),
                "{server:?}"
            );
        }
    }
}
