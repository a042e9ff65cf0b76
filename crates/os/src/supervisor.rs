//! What would start a process again if it were stopped: told from its parents, its unit or its container.

use lastack_model::facts::{Ancestor, RestartPolicy, Service, ServiceKind, Supervisor};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The supervisor of a process with these parents in this service; `root` is `/` except in tests.
pub fn of(ancestors: &[Ancestor], service: Option<&Service>, root: &Path) -> Option<Supervisor> {
    let by_parent = ancestors.iter().find_map(|parent| {
        let name = known_supervisor(&parent.name).or_else(|| interpreted(parent, root))?;
        Some(Supervisor { name, pid: Some(parent.pid), policy: RestartPolicy::Usually })
    });
    if by_parent.is_some() {
        return by_parent;
    }
    let service = service?;
    let (name, policy) = match service.kind {
        ServiceKind::SystemUnit => ("systemd", unit_policy(&service.name, root)),
        ServiceKind::UserUnit => ("systemd --user", RestartPolicy::Unknown),
        ServiceKind::Docker => ("docker", docker_policy(&service.name, root)),
        ServiceKind::Podman => ("podman", RestartPolicy::Unknown),
        ServiceKind::Kubernetes => ("kubernetes", RestartPolicy::Usually),
        ServiceKind::Lxc | ServiceKind::Cgroup => return None,
    };
    Some(Supervisor { name: name.into(), pid: None, policy })
}

/// The name, when it is a supervisor's. Whole names only: `air` is one, `airflow` is not. PM2 titles itself
/// `PM2 v5.3.0: God Daemon`.
fn known_supervisor(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    let first = lower.split([' ', ':']).next()?;
    // A short name holds 15 bytes (`TASK_COMM_LEN`); all of these fit.
    SUPERVISORS.contains(&first).then(|| first.to_owned())
}

/// A script shows its interpreter's name; its own is the first argument that is no option.
fn interpreted(parent: &Ancestor, root: &Path) -> Option<String> {
    let base = parent.name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    if !INTERPRETERS.contains(&base) {
        return None;
    }
    let bytes = fs::read(root.join(format!("proc/{}/cmdline", parent.pid))).ok()?;
    script_name(&bytes).as_deref().and_then(known_supervisor)
}

/// The script in a command line whose arguments end in zero bytes, without directory and ending.
pub fn script_name(cmdline: &[u8]) -> Option<String> {
    let script = cmdline.split(|byte| *byte == 0).skip(1).find(|arg| !arg.starts_with(b"-"))?;
    let name = String::from_utf8_lossy(script.rsplit(|byte| *byte == b'/').next()?).into_owned();
    let name = [".js", ".py", ".rb", ".pl"]
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .map(Into::into)
        .unwrap_or(name);
    (!name.is_empty()).then_some(name)
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

/// Programs whose business is to start others again, by their names in lower case.
const SUPERVISORS: [&str; 20] = [
    "air",
    "bacon",
    "cargo-watch",
    "chokidar",
    "circusd",
    "foreman",
    "forever",
    "god",
    "honcho",
    "monit",
    "nodemon",
    "overmind",
    "pm2",
    "reflex",
    "runsv",
    "s6-supervise",
    "supervise",
    "supervisord",
    "watchexec",
    "watchmedo",
];

/// Programs that run others' scripts under their own name, digits of a version left off.
const INTERPRETERS: [&str; 6] = ["bun", "deno", "node", "perl", "python", "ruby"];

/// Where unit files lie, highest rank first.
const UNIT_DIRECTORIES: [&str; 4] =
    ["etc/systemd/system", "run/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"];

#[cfg(test)]
mod tests {
    use super::*;
    use lastack_model::ids::Pid;
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
        let policy = |name: &str| of(&[], Some(&unit(name)), &root).map(|found| found.policy);
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
        let found = of(&parents, None, Path::new("/")).expect("a supervisor");
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
            assert_eq!(of(&parents, None, Path::new("/nonexistent")), None, "{name}");
        }
        let pm2 = [Ancestor { pid: Pid(9), name: "PM2 v5.3.0: God".into() }];
        let found = of(&pm2, None, Path::new("/nonexistent")).expect("a supervisor");
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
            of(&[Ancestor { pid: Pid(pid), name: name.into() }], None, &root)
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
        let policy = |name: &str| of(&[], Some(&unit(name)), &root).map(|found| found.policy);
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
            let _ = script_name(text.as_bytes());
            let _ = template(&text);
        }
    }
}
