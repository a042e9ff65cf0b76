//! What a supervisor calls the program it runs, and where it is told to stop it: read from the program's environment
//! and the supervisor's directory.
//!
//! Only what is certain is returned. A name that would be a guess could stop another program.

use lastack_model::facts::{Ancestor, RestartPolicy, Supervisor};
use lastack_model::ids::{Pid, Uid};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The supervisor `name` with the pid `pid`, which started the process `started`.
pub(super) fn described(name: &str, pid: Pid, started: Pid, root: &Path) -> Supervisor {
    let found = Supervisor {
        pid: Some(pid),
        uid: owner(pid, root),
        ..unnamed(name, RestartPolicy::Usually)
    };
    // Paths and addresses of another mount namespace mean something else here.
    if !shares_mounts(pid, root) {
        return found;
    }
    let variable = |name: &str| environment(started, name, root);
    let (program, control) = match name {
        "supervisord" => {
            let program =
                variable("SUPERVISOR_GROUP_NAME").zip(variable("SUPERVISOR_PROCESS_NAME"));
            let program = program.map(|(group, process)| format!("{group}:{process}"));
            (program, variable("SUPERVISOR_SERVER_URL"))
        }
        "pm2" => (variable("pm_id"), variable("PM2_HOME")),
        "runsv" => (directory(pid, root).filter(|path| runs(path, started, root)), None),
        "s6-supervise" | "supervise" => (directory(pid, root), None),
        _ => (None, None),
    };
    Supervisor { program, control, ..found }
}

/// The service manager of a user, from one of its processes.
pub(super) fn user_manager(pid: Pid, ancestors: &[Ancestor], root: &Path) -> Supervisor {
    let manager = ancestors.iter().find(|parent| parent.name == "systemd" && parent.pid.0 != 1);
    Supervisor {
        control: environment(pid, "XDG_RUNTIME_DIR", root),
        uid: manager.and_then(|manager| owner(manager.pid, root)),
        ..unnamed("systemd --user", RestartPolicy::Unknown)
    }
}

/// A supervisor of which no more is known.
pub(super) fn unnamed(name: &str, policy: RestartPolicy) -> Supervisor {
    Supervisor { name: name.into(), pid: None, policy, program: None, control: None, uid: None }
}

/// The value of one variable in a process's environment block.
fn variable(block: &[u8], name: &str) -> Option<String> {
    let value = block
        .split(|byte| *byte == 0)
        .find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
    String::from_utf8(value.to_vec()).ok().filter(|value| !value.is_empty())
}

pub(super) fn environment(pid: Pid, name: &str, root: &Path) -> Option<String> {
    variable(&fs::read(entry(pid, "environ", root)).ok()?, name)
}

/// The working directory: `runsv`, `s6-supervise` and `supervise` change to the directory of their service and stay.
fn directory(pid: Pid, root: &Path) -> Option<String> {
    fs::read_link(entry(pid, "cwd", root)).ok()?.into_os_string().into_string().ok()
}

/// Whether the service itself is this process, and not the logger that `runsv` runs beside it.
fn runs(directory: &str, started: Pid, root: &Path) -> bool {
    let below = directory.trim_start_matches('/');
    let file = root.join(below).join("supervise/pid");
    fs::read_to_string(file).is_ok_and(|text| text.trim().parse() == Ok(started.0))
}

fn owner(pid: Pid, root: &Path) -> Option<Uid> {
    fs::metadata(root.join(format!("proc/{pid}"))).ok().map(|entry| Uid(entry.uid()))
}

fn shares_mounts(pid: Pid, root: &Path) -> bool {
    let theirs = fs::read_link(entry(pid, "ns/mnt", root)).ok();
    theirs.is_some() && theirs == fs::read_link(root.join("proc/self/ns/mnt")).ok()
}

fn entry(pid: Pid, name: &str, root: &Path) -> PathBuf {
    root.join(format!("proc/{pid}/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_variable_is_found_by_its_whole_name() {
        let block = b"XSUPERVISOR_GROUP_NAME=no\0SUPERVISOR_GROUP_NAME=web\0pm_id=\0A=b=c\0";
        assert_eq!(variable(block, "SUPERVISOR_GROUP_NAME").as_deref(), Some("web"));
        assert_eq!(variable(block, "SUPERVISOR_GROUP").as_deref(), None);
        assert_eq!(variable(block, "pm_id"), None, "an empty name names nothing");
        assert_eq!(variable(block, "A").as_deref(), Some("b=c"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = variable(&bytes, "A");
        }
    }
}
