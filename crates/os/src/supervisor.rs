//! What would start a process again if it were stopped: told from its parents, its unit or its container.

mod program;

use lastack_model::facts::{Ancestor, RestartPolicy, Service, ServiceKind, Supervisor};
use lastack_model::ids::Pid;
use lastack_model::stop::{interpreted_supervisor, known_supervisor};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The supervisor of the process `pid` with these parents in this service; `root` is `/` except in tests.
pub fn of(
    pid: Pid,
    ancestors: &[Ancestor],
    service: Option<&Service>,
    root: &Path,
) -> Option<Supervisor> {
    let by_parent = ancestors.iter().enumerate().find_map(|(at, parent)| {
        let name = known_supervisor(&parent.name).or_else(|| interpreted(parent, root))?;
        let started = at.checked_sub(1).and_then(|at| ancestors.get(at)).map_or(pid, |a| a.pid);
        Some(program::described(name, parent.pid, started, root))
    });
    if by_parent.is_some() {
        return by_parent;
    }
    let service = service?;
    let (name, policy) = match service.kind {
        ServiceKind::SystemUnit => ("systemd", unit_policy(&service.name, root)),
        ServiceKind::UserUnit => return Some(program::user_manager(pid, ancestors, root)),
        ServiceKind::Docker => ("docker", docker_policy(&service.name, root)),
        ServiceKind::Podman => ("podman", RestartPolicy::Unknown),
        ServiceKind::Kubernetes => ("kubernetes", RestartPolicy::Usually),
        ServiceKind::Lxc | ServiceKind::Cgroup => return None,
    };
    Some(program::unnamed(name, policy))
}

/// The value of a variable in the environment that a process was started with.
pub(crate) fn environment(pid: Pid, name: &str) -> Option<String> {
    program::environment(pid, name, Path::new("/"))
}

/// A script shows its interpreter's name; its own is in its command line.
fn interpreted(parent: &Ancestor, root: &Path) -> Option<&'static str> {
    let bytes = fs::read(root.join(format!("proc/{}/cmdline", parent.pid))).ok()?;
    interpreted_supervisor(&parent.name, &command_line(&bytes))
}

/// The arguments of a command line, which end in zero bytes.
pub fn command_line(bytes: &[u8]) -> Vec<String> {
    let arguments = bytes.split(|byte| *byte == 0);
    arguments.map(|argument| String::from_utf8_lossy(argument).into_owned()).collect()
}

/// `Restart=` of a unit and its drop-ins (`systemd.unit(5)`).
fn unit_policy(unit: &str, root: &Path) -> RestartPolicy {
    if Path::new(unit).extension().is_some_and(|kind| kind == "scope") {
        return RestartPolicy::Never("a scope is never started again".into());
    }
    // An instance `web@1.service` falls back to its template `web@.service`.
    let names: Vec<String> = std::iter::once(unit.to_owned()).chain(template(unit)).collect();
    let read = |name: &String| {
        UNIT_DIRECTORIES
            .iter()
            .find_map(|directory| fs::read_to_string(root.join(directory).join(name)).ok())
    };
    let Some(fragment) = names.iter().find_map(read) else { return RestartPolicy::Unknown };
    let drop_ins = drop_ins(&names, root);
    let setting = std::iter::once(fragment)
        .chain(drop_ins)
        .filter_map(|text| restart_setting(&text))
        .next_back();
    match setting.as_deref() {
        None | Some("no" | "") => RestartPolicy::Never("Restart=no".into()),
        Some(value) => RestartPolicy::Restarts(format!("Restart={value}")),
    }
}

fn template(unit: &str) -> Option<String> {
    let (prefix, instance) = unit.split_once('@')?;
    let (_, kind) = instance.rsplit_once('.')?;
    Some(format!("{prefix}@.{kind}"))
}

/// The texts of the drop-ins in the order in which they apply: by file name, whatever directory they lie in; of two
/// with one name the directory of higher rank wins.
fn drop_ins(units: &[String], root: &Path) -> Vec<String> {
    let mut files = BTreeMap::new();
    for directory in UNIT_DIRECTORIES.iter().rev() {
        for unit in units.iter().rev() {
            let entries = fs::read_dir(root.join(directory).join(format!("{unit}.d")));
            for path in entries.into_iter().flatten().flatten().map(|entry| entry.path()) {
                if path.extension().is_some_and(|kind| kind == "conf") {
                    files.insert(path.file_name().map(ToOwned::to_owned), path);
                }
            }
        }
    }
    files.values().filter_map(|file| fs::read_to_string(file).ok()).collect()
}

/// The last `Restart=` in the section `[Service]` of a unit file.
pub fn restart_setting(text: &str) -> Option<String> {
    let mut in_service = false;
    let mut last = None;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            in_service = line == "[Service]";
        } else if let (true, Some((key, value))) = (in_service, line.split_once('='))
            && key.trim_end() == "Restart"
        {
            last = Some(value.trim().to_owned());
        }
    }
    last
}

/// The restart policy that Docker keeps for a container; readable by root.
fn docker_policy(id: &str, root: &Path) -> RestartPolicy {
    let path = root.join("var/lib/docker/containers").join(id).join("hostconfig.json");
    let Some(name) = fs::read_to_string(path).ok().and_then(|text| restart_policy_name(&text))
    else {
        return RestartPolicy::Unknown;
    };
    match name.as_str() {
        "" | "no" => RestartPolicy::Never("--restart no".into()),
        _ => RestartPolicy::Restarts(format!("--restart {name}")),
    }
}

/// The value of `"RestartPolicy":{"Name":"…"`, which Docker writes without spaces.
fn restart_policy_name(json: &str) -> Option<String> {
    let (_, after) = json.split_once("\"RestartPolicy\"")?;
    let (_, after) = after.split_once("\"Name\"")?;
    let value = after.trim_start_matches([':', ' ']).strip_prefix('"')?;
    value.split_once('"').map(|(name, _)| name.to_owned())
}

/// Where unit files lie, highest rank first.
const UNIT_DIRECTORIES: [&str; 4] =
    ["etc/systemd/system", "run/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tree(name: &str, files: &[(&str, &str)]) -> std::path::PathBuf {
        let root = std::env::temp_dir().join(format!("lastack-{name}-{}", std::process::id()));
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            fs::write(path, text).expect("a file");
        }
        root
    }

    fn unit(name: &str) -> Service {
        Service { kind: ServiceKind::SystemUnit, name: name.into() }
    }

    #[test]
    fn a_drop_in_overrides_the_units_own_setting() {
        let root = tree(
            "units",
            &[
                ("lib/systemd/system/web.service", "[Service]\nRestart=no\n"),
                ("etc/systemd/system/web.service.d/10.conf", "[Service]\nRestart=on-failure\n"),
                ("lib/systemd/system/once.service", "[Service]\nExecStart=/bin/true\n"),
            ],
        );
        let policy =
            |name: &str| of(Pid(1), &[], Some(&unit(name)), &root).map(|found| found.policy);
        assert_eq!(
            policy("web.service"),
            Some(RestartPolicy::Restarts("Restart=on-failure".into()))
        );
        assert_eq!(policy("once.service"), Some(RestartPolicy::Never("Restart=no".into())));
        assert_eq!(policy("gone.service"), Some(RestartPolicy::Unknown));
        fs::remove_dir_all(root).expect("the tree is removed");
    }

    #[test]
    fn nodemon_among_the_parents_restarts_what_ends() {
        let parents = [
            Ancestor { pid: Pid(9), name: "sh".into() },
            Ancestor { pid: Pid(8), name: "nodemon".into() },
        ];
        let found = of(Pid(10), &parents, None, Path::new("/")).expect("a supervisor");
        assert_eq!((found.name.as_str(), found.pid), ("nodemon", Some(Pid(8))));
    }

    #[test]
    fn dockers_policy_is_read_from_its_own_file() {
        let json =
            r#"{"Binds":null,"RestartPolicy":{"Name":"unless-stopped","MaximumRetryCount":0}}"#;
        assert_eq!(restart_policy_name(json).as_deref(), Some("unless-stopped"));
        assert_eq!(restart_policy_name("{}"), None);
    }

    #[test]
    fn a_name_that_only_begins_like_a_supervisors_is_none() {
        for name in ["airflow", "monitor", "supervisor-ui", "godot", "uvicorn", "gunicorn"] {
            let parents = [Ancestor { pid: Pid(9), name: name.into() }];
            assert_eq!(of(Pid(10), &parents, None, Path::new("/nonexistent")), None, "{name}");
        }
        let pm2 = [Ancestor { pid: Pid(9), name: "PM2 v5.3.0: God".into() }];
        let found = of(Pid(10), &pm2, None, Path::new("/nonexistent")).expect("a supervisor");
        assert_eq!((found.name.as_str(), found.policy), ("pm2", RestartPolicy::Usually));
    }

    #[test]
    fn a_supervisor_that_runs_as_its_interpreter_is_told_by_its_script() {
        let root = tree(
            "scripts",
            &[
                ("proc/9/cmdline", "node\0--inspect\0/usr/local/bin/nodemon\0server.js\0"),
                ("proc/8/cmdline", "node\0server.js\0nodemon\0"),
                ("proc/7/cmdline", "python3\0/usr/bin/supervisord\0-n\0"),
            ],
        );
        let name = |pid, name: &str| {
            of(Pid(10), &[Ancestor { pid: Pid(pid), name: name.into() }], None, &root)
                .map(|found| found.name)
        };
        assert_eq!(name(9, "node").as_deref(), Some("nodemon"));
        assert_eq!(name(8, "node"), None, "an argument of the server is no supervisor");
        assert_eq!(name(7, "python3.11").as_deref(), Some("supervisord"));
        fs::remove_dir_all(root).expect("the tree is removed");
    }

    #[test]
    fn an_instance_takes_its_templates_setting_and_drop_ins_apply_by_file_name() {
        let root = tree(
            "templates",
            &[
                (
                    "lib/systemd/system/web@.service",
                    "[Unit]\nRestart=bogus\n[Service]\nRestart = always\n",
                ),
                ("etc/systemd/system/web@2.service.d/10.conf", "[Service]\nRestart=no\n"),
                ("lib/systemd/system/web@2.service.d/90.conf", "[Service]\nRestart=on-abort\n"),
                ("lib/systemd/system/web@3.service.d/10.conf", "[Service]\nRestart=on-abort\n"),
                (
                    "etc/systemd/system/web@3.service.d/10.conf",
                    "[Service]\n#Restart=x\nRestart=no\n",
                ),
            ],
        );
        let policy =
            |name: &str| of(Pid(1), &[], Some(&unit(name)), &root).map(|found| found.policy);
        let restarts = |setting: &str| Some(RestartPolicy::Restarts(setting.into()));
        assert_eq!(policy("web@1.service"), restarts("Restart=always"));
        assert_eq!(policy("web@2.service"), restarts("Restart=on-abort"));
        assert_eq!(policy("web@3.service"), Some(RestartPolicy::Never("Restart=no".into())));
        assert!(matches!(policy("run-7.scope"), Some(RestartPolicy::Never(_))));
        fs::remove_dir_all(root).expect("the tree is removed");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_readers_panic(text in "(\\PC|\n|\\[Service\\]|Restart=|\"Name\"|\"RestartPolicy\"){0,60}") {
            let _ = restart_setting(&text);
            let _ = restart_policy_name(&text);
            let _ = interpreted_supervisor("node", &command_line(text.as_bytes()));
            let _ = template(&text);
        }
    }
}
