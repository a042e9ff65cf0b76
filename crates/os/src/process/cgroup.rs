//! Which service or container a process or socket belongs to, from the path of its control group.
//!
//! A socket's control group is visible to every user, so this names an owner where no process can be seen.

use lastack_model::facts::{Service, ServiceKind};
use lastack_model::ids::CgroupId;
use std::fs;
use std::os::unix::fs::DirEntryExt;
use std::path::{Path, PathBuf};

/// Reads `/proc/PID/cgroup`: the unified hierarchy, else the service manager's own, else the first that says something.
pub fn parse_cgroup(text: &str) -> Option<Service> {
    ranked_paths(text).into_iter().find_map(service_of_path)
}

/// The path of the control group in the hierarchy that [`parse_cgroup`] reads the service from.
pub fn parse_group(text: &str) -> Option<&str> {
    let paths = ranked_paths(text);
    let telling = paths.iter().copied().find(|path| service_of_path(path).is_some());
    telling.or_else(|| paths.first().copied())
}

fn ranked_paths(text: &str) -> Vec<&str> {
    let mut paths: Vec<(u8, &str)> = text
        .lines()
        .filter_map(|line| {
            let mut fields = line.splitn(3, ':');
            let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
            let rank = match controllers {
                "" => 0,
                "name=systemd" => 1,
                _ => 2,
            };
            Some((rank, path))
        })
        .collect();
    paths.sort_by_key(|(rank, _)| *rank);
    paths.into_iter().map(|(_, path)| path).collect()
}

/// What made a control group, told from its path.
pub fn service_of_path(path: &str) -> Option<Service> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let named = |kind, name: &str| Some(Service { kind, name: name.to_owned() });
    if let Some(id) = parts.iter().rev().find_map(|part| container_id(part)) {
        return match container_kind(&parts) {
            Some(kind) => named(kind, id),
            None => named(ServiceKind::Cgroup, path),
        };
    }
    if let Some(name) = lxc_name(&parts) {
        return named(ServiceKind::Lxc, name);
    }
    let unit = parts.iter().rev().find(|part| is_unit(part));
    let in_user = parts.iter().any(|part| part.starts_with("user@"));
    match unit {
        Some(unit) if in_user => named(ServiceKind::UserUnit, unit),
        Some(unit) => named(ServiceKind::SystemUnit, unit),
        None => match parts.last() {
            None => None,
            Some(last) if matches!(extension(last), Some("scope" | "slice")) => None,
            Some(_) => named(ServiceKind::Cgroup, path),
        },
    }
}

/// A service, or a scope that is more than a login session or the first process.
fn is_unit(part: &str) -> bool {
    match extension(part) {
        Some("service") => !part.starts_with("user@"),
        Some("scope") => !part.starts_with("session-") && part != "init.scope",
        _ => false,
    }
}

fn extension(part: &str) -> Option<&str> {
    part.rsplit_once('.').map(|(_, extension)| extension)
}

/// LXC 4 and later write `lxc.payload.NAME`, older ones `lxc/NAME`.
fn lxc_name<'a>(parts: &[&'a str]) -> Option<&'a str> {
    let newer = parts.iter().find_map(|part| part.strip_prefix("lxc.payload."));
    newer.or_else(|| parts.windows(2).find(|pair| pair[0] == "lxc").map(|pair| pair[1]))
}

/// The path of a control group below its mount, found by its id.
pub fn cgroup_path(id: CgroupId) -> Option<String> {
    let mount = unified_mount(&fs::read_to_string("/proc/self/mountinfo").ok()?)?;
    let found = find_directory(&mount, id)?;
    let below = found.strip_prefix(&mount).ok()?;
    Some(format!("/{}", below.display()))
}

/// Where the version 2 hierarchy is mounted.
fn unified_mount(mountinfo: &str) -> Option<PathBuf> {
    mountinfo.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        kind.starts_with("cgroup2 ").then(|| mount.split(' ').nth(4).map(PathBuf::from))?
    })
}

/// The id of a control group is its directory's inode number.
fn find_directory(mount: &Path, id: CgroupId) -> Option<PathBuf> {
    let mut open = vec![mount.to_owned()];
    let mut seen = 0;
    while let Some(directory) = open.pop() {
        // A group may go, or be closed to this user, while the others are looked through.
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            if entry.ino() == id.0 {
                return Some(entry.path());
            }
            seen += 1;
            if seen > DIRECTORIES {
                return None;
            }
            open.push(entry.path());
        }
    }
    None
}

/// The 64 hexadecimal digits that every container runtime uses.
fn container_id(part: &str) -> Option<&str> {
    let name = part.strip_suffix(".scope").unwrap_or(part);
    let id = name.rsplit(['-', ':']).next()?;
    (id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(id)
}

fn container_kind(parts: &[&str]) -> Option<ServiceKind> {
    let any = |test: fn(&str) -> bool| parts.iter().any(|part| test(part));
    if any(|part| part.starts_with("kubepods")) {
        Some(ServiceKind::Kubernetes)
    } else if any(|part| part.starts_with("libpod")) {
        Some(ServiceKind::Podman)
    } else {
        // Other runtimes (containerd, CRI-O) use such ids too, and no word of Docker then.
        any(|part| part.starts_with("docker") || part == "ecs").then_some(ServiceKind::Docker)
    }
}

/// Hosts with more control groups than this are left unnamed rather than walked.
const DIRECTORIES: usize = 20_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn service(path: &str) -> Option<(ServiceKind, String)> {
        service_of_path(path).map(|service| (service.kind, service.name))
    }

    #[test]
    fn units_are_named_wherever_they_are_nested() {
        let nginx = "/system.slice/nginx.service";
        assert_eq!(service(nginx), Some((ServiceKind::SystemUnit, "nginx.service".into())));
        let user = "/user.slice/user-1000.slice/user@1000.service/app.slice/dev.service";
        assert_eq!(service(user), Some((ServiceKind::UserUnit, "dev.service".into())));
        assert_eq!(service("/user.slice/user-1000.slice/session-2.scope"), None);
        assert_eq!(service("/"), None);
        assert_eq!(service("/jobs/build"), Some((ServiceKind::Cgroup, "/jobs/build".into())));
    }

    #[test]
    fn containers_are_named_by_their_id_whatever_wraps_it() {
        let id = "0123456789abcdef".repeat(4);
        let expect = |kind| Some((kind, id.clone()));
        assert_eq!(service(&format!("/docker/{id}")), expect(ServiceKind::Docker));
        assert_eq!(
            service(&format!("/system.slice/docker-{id}.scope")),
            expect(ServiceKind::Docker)
        );
        assert_eq!(
            service(&format!("/machine.slice/libpod-{id}.scope/container")),
            expect(ServiceKind::Podman)
        );
        let pod = format!("/kubepods.slice/kubepods-podab.slice/cri-containerd-{id}.scope");
        assert_eq!(service(&pod), expect(ServiceKind::Kubernetes));
    }

    #[test]
    fn the_unified_hierarchy_is_asked_first() {
        let text =
            "5:cpu:/\n1:name=systemd:/system.slice/old.service\n0::/system.slice/new.service\n";
        assert_eq!(parse_cgroup(text).map(|service| service.name), Some("new.service".into()));
    }

    #[test]
    fn scopes_of_programs_are_units_and_login_sessions_are_not() {
        let run = "/system.slice/run-r12.scope";
        assert_eq!(service(run), Some((ServiceKind::SystemUnit, "run-r12.scope".into())));
        let app = "/user.slice/user-1000.slice/user@1000.service/app.slice/app-code-7.scope";
        assert_eq!(service(app), Some((ServiceKind::UserUnit, "app-code-7.scope".into())));
        assert_eq!(service("/init.scope"), None);
        assert_eq!(service("/user.slice/user-1000.slice/user@1000.service/init.scope"), None);
        assert_eq!(service("/lxc/web/system.slice"), Some((ServiceKind::Lxc, "web".into())));
    }

    #[test]
    fn an_id_without_the_name_of_its_runtime_is_not_called_docker() {
        let path = format!("/default/{}", "0123456789abcdef".repeat(4));
        assert_eq!(service(&path), Some((ServiceKind::Cgroup, path.clone())));
    }

    #[test]
    fn the_id_of_a_control_group_of_this_host_leads_to_its_path() {
        let mountinfo = fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
        let mount =
            unified_mount(&mountinfo).expect("a cgroup2 mount: mount one with root's rights");
        let own = format!("lastack-test-{}", std::process::id());
        let directory = mount.join(&own);
        fs::create_dir(&directory).expect("a control group: run as root");
        let id = std::os::unix::fs::MetadataExt::ino(&fs::metadata(&directory).expect("metadata"));
        let path = cgroup_path(CgroupId(id));
        fs::remove_dir(&directory).expect("the control group is removed");
        assert_eq!(path, Some(format!("/{own}")));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_readers_panic(text in "(\\PC|[0-9a-f]{64}|/|:|\\.scope|\\.service|lxc|docker|\n| - cgroup2 ){0,40}") {
            let _ = parse_cgroup(&text);
            let _ = parse_group(&text);
            let _ = service_of_path(&text);
            let _ = unified_mount(&text);
        }
    }
}
