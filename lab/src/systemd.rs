//! A real systemd as the first process of namespaces of its own, with units as a test wants them.
//!
//! Its root is made in memory and nothing of the host's file system can be written from it: systemd's first start
//! empties `/tmp`. It lives in a control group of its own below the host's version 2 hierarchy, and everything in it
//! ends with the machine.

use crate::privilege::require_root;
use crate::program::{Process, Run, run};
use crate::states::wait_until;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A system that runs systemd.
#[derive(Debug)]
pub struct Machine {
    outer: Option<Process>,
    /// Its systemd, by the pid that it has here.
    init: u32,
    group: PathBuf,
    directory: PathBuf,
}

impl Machine {
    /// Boots a system that has these unit files and no others that would start.
    ///
    /// # Panics
    ///
    /// When it cannot: with what is missing.
    pub fn boot(name: &str, programs: &Path, units: &[(&str, &str)]) -> Self {
        require_root();
        let own = format!("lastack-machine-{name}-{}", std::process::id());
        let group = unified_hierarchy().join(&own);
        fs::create_dir(&group).expect("a control group");
        let directory = std::env::temp_dir().join(own);
        for place in ["root", "units"] {
            fs::create_dir_all(directory.join(place)).expect("a directory");
        }
        let target = ("lab.target", "[Unit]\nDefaultDependencies=no\n");
        for (unit, text) in units.iter().chain([&target]) {
            fs::write(directory.join("units").join(unit), text).expect("a unit");
        }
        fs::write(directory.join("root.sh"), ROOT).expect("a script");
        let errors = directory.join("errors");
        fs::write(&errors, "").expect("a file");
        // Everything is started from within the group, which is then the root of the hierarchy in there.
        let enter = "echo $$ >\"$1/cgroup.procs\" && exec 2>\"$2\" && shift 2 && exec \"$@\"";
        let mut command = Command::new("sh");
        command.args(["-c", enter, "sh"]).arg(&group).arg(&errors).arg("unshare").args(NAMESPACES);
        command.arg("sh").arg(directory.join("root.sh")).arg(directory.join("root"));
        let outer = Process::start(command.arg(programs).arg(directory.join("units")));
        let mut machine = Self { outer: Some(outer), init: 0, group, directory };
        wait_until("systemd is the first process (is it installed?)", || {
            let said = fs::read_to_string(&errors).expect("what was said");
            assert!(said.is_empty(), "the machine does not boot: {said}");
            machine.find_init().is_some()
        });
        machine.init = machine.find_init().expect("the first process");
        wait_until("systemd has started", || {
            machine.run(&["systemctl", "is-active", "lab.target"]).stdout == "active\n"
        });
        machine
    }

    /// Runs a command inside, as its root.
    pub fn run(&self, command: &[&str]) -> Run {
        let mut enter = Command::new("nsenter");
        enter.args(["--target", &self.init.to_string(), "--all", "--"]).args(command);
        run(&mut enter)
    }

    /// Runs a command inside that must succeed, and returns what it says.
    ///
    /// # Panics
    ///
    /// When it fails.
    pub fn say(&self, command: &[&str]) -> String {
        let run = self.run(command);
        assert_eq!(run.code, Some(0), "{command:?}: {}{}", run.stdout, run.stderr);
        run.stdout.trim().to_owned()
    }

    /// Whether a path inside is a directory.
    pub fn is_directory(&self, path: &str) -> bool {
        self.run(&["test", "-d", path]).code == Some(0)
    }

    /// Its systemd, by the pid that it has here.
    pub const fn init(&self) -> u32 {
        self.init
    }

    /// The one child of `unshare`, once it runs systemd.
    fn find_init(&self) -> Option<u32> {
        let outer = self.outer.as_ref()?.pid();
        let children = fs::read_to_string(format!("/proc/{outer}/task/{outer}/children")).ok()?;
        let child = children.trim().parse().ok()?;
        let name = fs::read_to_string(format!("/proc/{child}/comm")).ok()?;
        (name == "systemd\n").then_some(child)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // The first process ends with `unshare`, and everything with the first process.
        self.outer = None;
        wait_until("the machine's control groups are empty", || remove_groups(&self.group));
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Removes a control group with those below it; true when it is gone.
fn remove_groups(group: &Path) -> bool {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_groups(&entry.path());
        }
    }
    fs::remove_dir(group).is_ok() || !group.exists()
}

/// Where the version 2 control groups are.
///
/// # Panics
///
/// When they are not mounted.
pub fn unified_hierarchy() -> PathBuf {
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("the mounts");
    let mount = mounts.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        kind.starts_with("cgroup2 ").then(|| place.split(' ').nth(4).map(PathBuf::from))?
    });
    mount.expect("a cgroup2 mount: `mount -t cgroup2 none /sys/fs/cgroup/unified`")
}

const NAMESPACES: [&str; 10] = [
    "--pid",
    "--fork",
    "--kill-child",
    "--mount",
    "--propagation",
    "private",
    "--cgroup",
    "--uts",
    "--ipc",
    "--net",
];

const ROOT: &str = include_str!("systemd/root.sh");
