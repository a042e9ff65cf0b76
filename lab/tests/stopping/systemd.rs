//! A real systemd: units are stopped as units, and only those that were made to run the holder.
//!
//! What lives in the machine is asked from the inside, where `stopper` does what a person's `lastack` would.

use crate::scratch::{SERVER, SIBLING, Scratch, WEB};
use lastack_lab::program::{self, Run};
use lastack_lab::states::wait_until;
use lastack_lab::systemd::Machine;

/// A unit that runs a server on a port, and is started again whenever it ends.
fn service(port: u16) -> String {
    format!("{SERVICE}Restart=always\nRestartSec=0\nExecStart={}\n", server(port))
}

/// A server; its script lies beside the units.
fn server(port: u16) -> String {
    format!("/usr/bin/python3 /etc/systemd/system/server.py {port}")
}

fn boot(name: &str, units: &[(&str, &str)]) -> Machine {
    let sibling = service(SIBLING);
    let all = [units, &[("sibling.service", &sibling), ("server.py", SERVER)]].concat();
    let lastack = program::path();
    let programs = lastack.parent().expect("its directory");
    assert!(programs.join("stopper").is_file(), "lastack and stopper lie in one directory");
    let machine = Machine::boot(name, programs, &all);
    machine.say(&["systemctl", "start", "sibling.service"]);
    listening(&machine, SIBLING);
    machine
}

fn listening(machine: &Machine, port: u16) {
    wait_until("the server listens", || listens(machine, port));
}

fn listens(machine: &Machine, port: u16) -> bool {
    !machine.say(&["ss", "-Htln", &format!("sport = :{port}")]).is_empty()
}

/// Stops the owner of [`WEB`], while the sibling lives on with its process and nothing is started again.
fn stopped(machine: &Machine) -> Run {
    let pid = || machine.say(&["systemctl", "show", "--property=MainPID", "sibling.service"]);
    let sibling = pid();
    let run = machine.run(&["/programs/stopper", &WEB.to_string()]);
    assert_eq!(pid(), sibling, "the bystander lives");
    assert!(listens(machine, SIBLING));
    run
}

fn assert_free(machine: &Machine) {
    let bind = format!("import socket; socket.create_server(('127.0.0.1', {WEB})).close()");
    machine.say(&["/usr/bin/python3", "-c", &bind]);
}

fn state(machine: &Machine, unit: &str) -> String {
    machine.run(&["systemctl", "is-active", unit]).stdout.trim().to_owned()
}

#[test]
fn a_machine_reaches_nothing_of_the_hosts_file_system() {
    let canary = Scratch::new("canary");
    let machine = boot("canary", &[]);
    let seen = machine.run(&["test", "-e", &canary.path("server.py")]);
    assert_eq!(seen.code, Some(1), "{seen:?}");
    let mounts = machine.say(&["cat", "/proc/mounts"]);
    let in_memory = ["tmpfs", "proc", "cgroup2", "devpts", "mqueue", "hugetlbfs", "bpf"];
    for mount in mounts.lines() {
        let fields: Vec<&str> = mount.split(' ').collect();
        let [_, place, kind, options, ..] = fields[..] else { panic!("a mount: {mount}") };
        let is_node = kind == "devtmpfs" && !machine.is_directory(place);
        let is_apart = in_memory.contains(&kind) || is_node;
        assert!(is_apart || options.starts_with("ro,"), "writable: {mount}");
    }
    // What a system does at its start.
    machine.run(&["systemd-tmpfiles", "--create", "--remove", "--boot"]);
    drop(machine);
    assert!(canary.is_there());
}

#[test]
fn a_unit_that_restarts_is_stopped_for_good_and_what_else_it_runs_is_named() {
    let script = format!("ExecStart=/bin/sh -c 'sleep 100000 & exec {}'\n", server(WEB));
    let web = format!("{SERVICE}Restart=always\nRestartSec=0\n{script}");
    let machine = boot("unit", &[("web.service", &web)]);
    machine.say(&["systemctl", "start", "web.service"]);
    listening(&machine, WEB);
    let run = stopped(&machine);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines[..2], ["stop sudo systemctl stop web.service", "also sleep"], "{run:#?}");
    assert!(lines[2].starts_with("outcome Ended"), "{run:#?}");
    assert_eq!(state(&machine, "web.service"), "inactive");
    assert_free(&machine);
}

#[test]
fn lastack_frees_the_port_of_a_unit_and_says_what_else_would_end() {
    let script = format!("ExecStart=/bin/sh -c 'sleep 100000 & exec {}'\n", server(WEB));
    let web = format!("{SERVICE}Restart=always\nRestartSec=0\n{script}");
    let machine = boot("free", &[("web.service", &web)]);
    machine.say(&["systemctl", "start", "web.service"]);
    listening(&machine, WEB);
    let free = |consent: &[&str]| {
        let port = WEB.to_string();
        machine.run(&[&["/programs/lastack", "free", &port, "--reuse-address"], consent].concat())
    };
    let plan = free(&["--dry-run"]);
    assert!(plan.stdout.contains("sudo systemctl stop web.service"), "{plan:#?}");
    assert!(plan.stdout.contains("sleep"), "the harm is shown: {plan:#?}");
    assert_eq!(state(&machine, "web.service"), "active");
    let done = free(&["--yes", "--stop"]);
    assert_eq!(done.code, Some(0), "{done:#?}");
    assert_eq!(state(&machine, "web.service"), "inactive");
    assert_free(&machine);
}

#[test]
fn a_socket_unit_lets_go_and_its_service_is_not_started_again() {
    let socket = format!("{UNIT}[Socket]\nListenStream=127.0.0.1:{WEB}\n");
    let web = format!("{SERVICE}ExecStart=/bin/sleep 100000\n");
    let machine = boot("socket", &[("web.socket", &socket), ("web.service", &web)]);
    machine.say(&["systemctl", "start", "web.socket"]);
    let connect = format!("import socket; socket.create_connection(('127.0.0.1', {WEB})).close()");
    machine.say(&["/usr/bin/python3", "-c", &connect]);
    wait_until("the service has the socket as well", || state(&machine, "web.service") == "active");
    let run = stopped(&machine);
    let commands: Vec<&str> =
        run.stdout.lines().filter_map(|line| line.strip_prefix("stop ")).collect();
    let expected = ["sudo systemctl stop web.socket", "sudo systemctl stop web.service"];
    assert_eq!(commands, expected, "{run:#?}");
    assert_eq!(run.stdout.matches("outcome Ended").count(), 2, "{run:#?}");
    assert_eq!(
        (&*state(&machine, "web.socket"), &*state(&machine, "web.service")),
        ("inactive", "inactive")
    );
    assert_free(&machine);
}

#[test]
fn a_socket_unit_that_nobody_has_connected_to_is_stopped_alone() {
    let socket = format!("{UNIT}[Socket]\nListenStream=127.0.0.1:{WEB}\n");
    let web = format!("{SERVICE}ExecStart=/bin/sleep 100000\n");
    let machine = boot("idle-socket", &[("web.socket", &socket), ("web.service", &web)]);
    machine.say(&["systemctl", "start", "web.socket"]);
    let run = stopped(&machine);
    assert!(
        run.stdout.starts_with("stop sudo systemctl stop web.socket\noutcome Ended"),
        "{run:#?}"
    );
    assert_eq!(state(&machine, "web.service"), "inactive");
    assert_free(&machine);
}

#[test]
fn a_job_of_cron_is_ended_and_cron_is_not() {
    // The name is what counts: a shell under the name of cron, with two jobs in sessions of their own.
    let script = format!(
        "ExecStart=/run/cron/cron -c 'setsid {} & setsid sleep 100000 & wait; sleep 100000'\n",
        server(WEB)
    );
    let cron = format!(
        "{SERVICE}ExecStartPre=/bin/mkdir /run/cron\n\
        ExecStartPre=/bin/ln -s /usr/bin/dash /run/cron/cron\n{script}"
    );
    let machine = boot("cron", &[("cron.service", &cron)]);
    machine.say(&["systemctl", "start", "cron.service"]);
    listening(&machine, WEB);
    let run = stopped(&machine);
    assert!(run.stdout.starts_with("stop kill -TERM "), "{run:#?}");
    assert!(run.stdout.contains("\noutcome Ended"), "{run:#?}");
    assert_eq!(state(&machine, "cron.service"), "active");
    let tasks = machine.say(&["pgrep", "--count", "sleep"]);
    assert_eq!(tasks, "1", "the other job lives");
    assert_free(&machine);
}

#[test]
fn a_scope_is_not_stopped_for_one_of_its_programs() {
    let machine = boot("scope", &[]);
    let work = format!("sleep 100000 & exec {}", server(WEB));
    let start = format!("systemd-run --scope --unit=work sh -c '{work}' >/dev/null 2>&1 &");
    machine.say(&["sh", "-c", &start]);
    listening(&machine, WEB);
    let run = stopped(&machine);
    assert!(run.stdout.starts_with("stop kill -TERM "), "{run:#?}");
    assert_eq!(state(&machine, "work.scope"), "active");
    assert_free(&machine);
}

#[test]
fn a_unit_of_a_user_is_stopped_by_that_users_service_manager() {
    let manager = format!(
        "{UNIT}[Service]\nUser=%i\nSlice=user-%i.slice\nType=notify\nDelegate=yes\n\
         Environment=XDG_RUNTIME_DIR=/run/user/%i\n\
         ExecStart=/usr/lib/systemd/systemd --user --unit=lab.target\n"
    );
    let web = service(WEB);
    let machine = boot("user", &[("user@.service", &manager)]);
    let directory = "/run/user/65534/systemd/user";
    for place in ["/run/user/65534", "/run/user/65534/systemd", directory] {
        machine.say(&["install", "-d", "-o", "nobody", "-m", "700", place]);
    }
    for (name, text) in [("lab.target", UNIT), ("dev.service", &web)] {
        let write = format!("cat >{directory}/{name} <<'END'\n{text}\nEND");
        machine.say(&["sh", "-c", &write]);
    }
    machine.say(&["systemctl", "start", "user@65534.service"]);
    let users =
        "XDG_RUNTIME_DIR=/run/user/65534 setpriv --reuid=65534 --regid=65534 --clear-groups";
    machine.say(&["sh", "-c", &format!("{users} systemctl --user start dev.service")]);
    listening(&machine, WEB);
    let run = stopped(&machine);
    assert!(
        run.stdout.starts_with("stop systemctl --user stop dev.service\noutcome Ended"),
        "{run:#?}"
    );
    assert_eq!(state(&machine, "user@65534.service"), "active");
    assert_free(&machine);
}

#[test]
fn a_unit_of_another_systems_service_manager_is_not_mistaken_for_one_of_ours() {
    let web = service(WEB);
    let machine = boot("other", &[("web.service", &web)]);
    machine.say(&["systemctl", "start", "web.service"]);
    listening(&machine, WEB);
    // From out here the process is seen, and its unit's name; the service manager that is asked is not its own.
    let namespace = lastack_os::namespace::of_process(lastack_model::ids::Pid(machine.init()));
    let error = lastack_os::namespace::within(&namespace.expect("its namespace"), || {
        let stops = lastack_lab::owner::stops(WEB).expect("stops");
        let terms = lastack_lab::owner::terms(lastack_os::act::stop::Kill::AfterGrace);
        lastack_os::act::stop::stop(&stops[0], &terms).expect_err("it is another unit").to_string()
    });
    let error = error.expect("the namespace is entered");
    assert!(
        error.starts_with("stop web.service: ") || error.starts_with("ask systemctl: "),
        "{error}"
    );
    assert_eq!(state(&machine, "web.service"), "active");
}

/// Nothing of what a system does at its start.
const UNIT: &str = "[Unit]\nDefaultDependencies=no\n";
const SERVICE: &str = "[Unit]\nDefaultDependencies=no\n[Service]\n";
