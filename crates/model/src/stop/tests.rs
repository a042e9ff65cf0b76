use super::*;
use crate::facts::{Ancestor, Inheritance};
use crate::ids::{Inode, Uid};

const WEB: &str = "/system.slice/web.service";

fn process(pid: u32, name: &str) -> Process {
    Process { pid: Pid(pid), name: name.into(), uid: Uid(1000), ..Process::default() }
}

fn holder(process: Process) -> Holder {
    Holder {
        inode: Inode(7),
        process,
        descriptor: Descriptor::Open { number: 3, close_on_exec: true },
        inheritance: Inheritance::NotSeen,
    }
}

fn service(kind: ServiceKind, name: &str) -> Service {
    Service { kind, name: name.into() }
}

fn unit(pid: u32, name: &str, unit: &str) -> Process {
    Process { service: Some(service(ServiceKind::SystemUnit, unit)), ..process(pid, name) }
}

fn above(name: &str) -> Vec<Ancestor> {
    vec![Ancestor { pid: Pid(40), name: name.into() }]
}

fn supervised(name: &str, program: Option<&str>, control: Option<&str>) -> Process {
    let supervisor = Supervisor {
        name: name.into(),
        pid: Some(Pid(40)),
        policy: RestartPolicy::Usually,
        program: program.map(Into::into),
        control: control.map(Into::into),
        uid: Some(Uid(1000)),
    };
    Process { supervisor: Some(supervisor), ancestors: above(name), ..process(41, "server") }
}

fn running(pid: u32, name: &str, parent: u32, group: &str) -> Running {
    let (name, group) = (name.into(), Some(group.into()));
    Running { pid: Pid(pid), name, parent: Pid(parent), group, has_terminal: false }
}

fn commands(holders: &[Holder], around: &Around) -> Vec<String> {
    let stops = stops(holders, around).expect("nothing hinders");
    stops.iter().map(|stop| stop.means.command(&stop.processes)).collect()
}

fn command(process: Process) -> String {
    commands(&[holder(process)], &Around::default()).join("; ")
}

fn hindrance(process: Process) -> Hindrance {
    let hindrances = stops(&[holder(process)], &Around::default()).expect_err("hindered");
    let [hindrance] = &hindrances[..] else { panic!("one: {hindrances:?}") };
    hindrance.clone()
}

#[test]
fn what_nobody_manages_is_asked_to_end_all_holders_at_once() {
    let holders = [holder(process(12, "a")), holder(process(11, "b")), holder(process(12, "a"))];
    assert_eq!(commands(&holders, &Around::default()), ["kill -TERM 11 12"]);
}

#[test]
fn two_processes_of_one_unit_are_one_stop() {
    let holders = [
        holder(unit(11, "nginx", "web.service")),
        holder(unit(12, "nginx", "web.service")),
        holder(process(13, "sleep")),
    ];
    assert_eq!(
        commands(&holders, &Around::default()),
        ["sudo systemctl stop web.service", "kill -TERM 13"]
    );
}

#[test]
fn a_scope_is_never_stopped_as_a_unit() {
    assert_eq!(command(unit(11, "node", "run-r12.scope")), "kill -TERM 11");
    let app = Process {
        service: Some(service(ServiceKind::UserUnit, "app-gnome-terminal-7.scope")),
        ..process(11, "node")
    };
    assert_eq!(command(app), "kill -TERM 11");
}

#[test]
fn a_service_that_lets_people_in_is_not_stopped_for_what_they_run() {
    for (starter, name) in
        [("sshd", "ssh.service"), ("cron", "cron.service"), ("tmux: server", "x.service")]
    {
        let server = Process { ancestors: above(starter), ..unit(11, "node", name) };
        assert_eq!(command(server), "kill -TERM 11", "{starter}");
    }
    assert_eq!(command(unit(40, "sshd", "ssh.service")), "sudo systemctl stop ssh.service");
}

#[test]
fn what_somebody_started_at_a_terminal_inside_a_service_is_not_that_service() {
    let at_terminal = Running { has_terminal: true, ..running(11, "node", 10, WEB) };
    let around = Around { processes: vec![at_terminal], ..Around::default() };
    assert_eq!(commands(&[holder(unit(11, "node", "web.service"))], &around), ["kill -TERM 11"]);
}

#[test]
fn users_units_are_stopped_by_their_users_manager() {
    let server = Process {
        service: Some(service(ServiceKind::UserUnit, "dev.service")),
        ..process(11, "node")
    };
    assert_eq!(command(server.clone()), "systemctl --user stop dev.service");
    let elsewhere = Supervisor {
        name: "systemd --user".into(),
        pid: None,
        policy: RestartPolicy::Unknown,
        program: None,
        control: Some("/run/other".into()),
        uid: Some(Uid(1000)),
    };
    let server = Process { supervisor: Some(elsewhere), ..server };
    assert_eq!(command(server), "XDG_RUNTIME_DIR=/run/other systemctl --user stop dev.service");
}

#[test]
fn containers_are_stopped_by_their_engine_and_pods_are_not() {
    let id = "0123456789abcdef".repeat(4);
    let inside = |kind| Process { service: Some(service(kind, &id)), ..process(11, "node") };
    assert_eq!(command(inside(ServiceKind::Docker)), "docker stop 0123456789ab");
    assert_eq!(command(inside(ServiceKind::Podman)), "podman stop 0123456789ab");
    let run = Means::Docker(id.clone()).invocation().expect("a command");
    assert_eq!(run.arguments, ["docker", "stop", &id], "what runs names the whole id");
    let pod = hindrance(inside(ServiceKind::Kubernetes));
    assert!(matches!(pod, Hindrance::Kubernetes { .. }), "{pod:?}");
    let lxc = Process { service: Some(service(ServiceKind::Lxc, "web")), ..process(11, "node") };
    assert_eq!(command(lxc), "kill -TERM 11");
}

#[test]
fn helpers_of_container_engines_are_not_what_is_to_be_stopped() {
    let with = |name: &str, arguments: &[&str]| Process {
        command: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
        ..unit(11, name, "docker.service")
    };
    let proxy = hindrance(with("docker-proxy", &["docker-proxy", "-host-port", "8080"]));
    assert!(proxy.advice().contains("docker ps --filter publish=8080"), "{}", proxy.advice());
    let conmon = with("conmon", &["conmon", "-c", "deadbeef0123456", "-u", "x"]);
    assert_eq!(command(conmon), "podman stop deadbeef0123");
}

#[test]
fn supervisors_of_many_are_told_to_stop_the_one() {
    for (name, program, control, expected) in [
        (
            "supervisord",
            "web:web_00",
            "unix:///run/s.sock",
            "supervisorctl -s unix:///run/s.sock stop web:web_00",
        ),
        ("pm2", "0", "/home/a b/.pm2", "PM2_HOME='/home/a b/.pm2' pm2 stop 0"),
        ("runsv", "/etc/sv/web", "", "sv stop /etc/sv/web"),
        ("s6-supervise", "/run/service/web", "", "s6-svc -d /run/service/web"),
        ("supervise", "/service/it's", "", r"svc -d '/service/it'\''s'"),
    ] {
        let server = supervised(name, Some(program), Some(control));
        assert_eq!(command(server), expected, "{name}");
        let unnamed = hindrance(supervised(name, None, Some(control)));
        assert!(matches!(&unnamed, Hindrance::Restarted { by, .. } if by.name == name));
    }
    let monit = hindrance(supervised("monit", None, None));
    assert!(monit.advice().contains("monit stop"), "{}", monit.advice());
}

#[test]
fn a_supervisor_that_holds_the_socket_itself_is_not_ended() {
    let god = hindrance(process(11, "PM2 v5.3.0: God"));
    assert!(matches!(god, Hindrance::Keeper { .. }), "{god:?}");
    let script = vec!["python3".into(), "/usr/bin/supervisord".into()];
    let own = hindrance(Process { command: script, ..process(11, "python3.11") });
    assert!(matches!(own, Hindrance::Keeper { .. }), "{own:?}");
}

#[test]
fn a_supervisor_inside_a_unit_decides_before_the_unit_and_a_watcher_after_it() {
    let in_unit = |process: Process| Process {
        service: Some(service(ServiceKind::SystemUnit, "all.service")),
        ..process
    };
    let many = in_unit(supervised("runsv", Some("/etc/sv/web"), None));
    assert_eq!(command(many), "sv stop /etc/sv/web", "the unit runs other programs as well");
    let one = supervised("nodemon", None, None);
    assert_eq!(command(one.clone()), "kill -TERM 40", "the watcher, not what it would restart");
    assert_eq!(command(in_unit(one)), "sudo systemctl stop all.service");
}

#[test]
fn a_supervisor_inside_a_container_is_named_with_the_way_in() {
    let id = "0123456789abcdef".repeat(4);
    let server = Process {
        service: Some(service(ServiceKind::Docker, &id)),
        ..supervised("s6-supervise", Some("/run/service/web"), None)
    };
    let advice = hindrance(server).advice();
    assert!(advice.contains("docker exec 0123456789ab s6-svc -d /run/service/web"), "{advice}");
    assert!(advice.contains("docker stop 0123456789ab"), "{advice}");
}

#[test]
fn a_descriptor_in_flight_and_the_first_process_hinder_all() {
    let descriptor = Descriptor::InFlight { carrier: 5 };
    let in_flight = Holder { descriptor, ..holder(process(11, "a")) };
    let holders = [holder(process(12, "b")), in_flight, holder(process(1, "systemd"))];
    let hindrances = stops(&holders, &Around::default()).expect_err("hindered");
    assert!(matches!(
        &hindrances[..],
        [Hindrance::InFlight { carrier: 5, .. }, Hindrance::Init { .. }]
    ));
    let around = Around { named: vec![Pid(1)], ..Around::default() };
    assert_eq!(commands(&[holder(process(1, "tini"))], &around), ["kill -TERM 1"]);
}

#[test]
fn what_lastack_runs_in_is_not_stopped_unless_named() {
    let actor = Actor { pid: Pid(90), ancestors: above("bash"), ..Actor::default() };
    let around = Around { actor, ..Around::default() };
    let shell = [holder(process(40, "bash"))];
    let hindrances = stops(&shell, &around).expect_err("hindered");
    assert!(matches!(&hindrances[..], [Hindrance::Ourselves { .. }]));
    let named = Around { named: vec![Pid(40)], ..around.clone() };
    assert_eq!(commands(&shell, &named).len(), 1);
    let itself = stops(&[holder(process(90, "lastack"))], &around).expect_err("hindered");
    assert!(matches!(&itself[..], [Hindrance::Itself { descriptor: 3 }]), "{itself:?}");
}

#[test]
fn a_unit_that_lastack_runs_in_is_not_stopped_as_a_whole() {
    let actor = Actor { pid: Pid(90), ..Actor::default() };
    let processes = vec![running(11, "node", 1, WEB), running(90, "lastack", 11, WEB)];
    let around = Around { actor, processes, ..Around::default() };
    let mut server = unit(11, "node", "web.service");
    assert_eq!(commands(&[holder(server.clone())], &around), ["kill -TERM 11"]);
    server.supervisor = Some(Supervisor {
        name: "systemd".into(),
        pid: None,
        policy: RestartPolicy::Restarts("Restart=always".into()),
        program: None,
        control: None,
        uid: None,
    });
    let hindrances = stops(&[holder(server)], &around).expect_err("hindered");
    assert!(matches!(&hindrances[..], [Hindrance::Restarted { .. }]), "{hindrances:?}");
}

#[test]
fn what_ends_with_the_holders_is_listed_and_nothing_else() {
    let processes = vec![
        running(11, "nginx", 1, WEB),
        running(12, "logger", 11, "/system.slice/web.service/sub"),
        running(13, "other", 1, "/system.slice/web.service2"),
        running(40, "runsv", 1, "/"),
        running(41, "server", 40, "/"),
        running(42, "worker", 41, "/"),
        running(43, "sibling", 40, "/"),
    ];
    let around = Around { processes, ..Around::default() };
    let names = |process: Process| -> Vec<String> {
        let stops = stops(&[holder(process)], &around).expect("nothing hinders");
        stops[0].also.iter().map(|companion| companion.name.clone()).collect()
    };
    assert_eq!(names(unit(11, "nginx", "web.service")), ["logger"]);
    assert_eq!(names(supervised("runsv", Some("/etc/sv/web"), None)), ["worker"]);
    assert_eq!(names(supervised("nodemon", None, None)), ["runsv", "worker", "sibling"]);
    assert_eq!(names(process(11, "nginx")), [""; 0]);
}

#[test]
fn a_supervised_program_that_lastack_runs_in_is_not_stopped() {
    let actor = Actor { pid: Pid(42), ..Actor::default() };
    let processes = vec![running(41, "server", 40, "/"), running(42, "lastack", 41, "/")];
    let around = Around { actor, processes, ..Around::default() };
    let server = supervised("runsv", Some("/etc/sv/web"), None);
    let hindrances = stops(&[holder(server)], &around).expect_err("hindered");
    assert!(matches!(&hindrances[..], [Hindrance::Ourselves { pid: Pid(42), .. }]));
}

#[test]
fn a_socket_unit_lets_go_before_its_service_is_stopped() {
    let activator =
        Activator { inode: Inode(7), manager: Pid(1), unit: "web.socket".into(), user: None };
    let around = Around { activators: vec![activator], ..Around::default() };
    let holders = [holder(unit(11, "web", "web.service")), holder(process(1, "systemd"))];
    assert_eq!(
        commands(&holders, &around),
        ["sudo systemctl stop web.socket", "sudo systemctl stop web.service"]
    );
}

#[test]
fn processes_whose_parents_run_in_a_circle_do_not_hang_the_climb() {
    let processes = vec![running(41, "a", 42, "/"), running(42, "b", 41, "/")];
    let around = Around { processes, ..Around::default() };
    assert!(stops(&[holder(supervised("nodemon", None, None))], &around).is_ok());
}

#[test]
fn signals_need_the_capability_or_the_same_user() {
    let actor = Actor { uid: Uid(1000), ..Actor::default() };
    assert_eq!(may_signal(&actor, &process(11, "a")), true.into());
    let other = Actor { uid: Uid(0), ..actor.clone() };
    assert_eq!(may_signal(&other, &process(11, "a")), false.into());
    let able = Actor { may_signal_anyone: true, ..other };
    assert_eq!(may_signal(&able, &process(11, "a")), true.into());
}

proptest::proptest! {
    #[test]
    fn no_path_makes_the_search_for_a_service_panic(path in "(\\PC|/|a\\.service){0,20}", name in "(\\PC|a\\.service){0,5}") {
        let root = scope::service_root(&path, &name);
        proptest::prop_assert!(root.is_none_or(|root| path.starts_with(root)));
    }
}
