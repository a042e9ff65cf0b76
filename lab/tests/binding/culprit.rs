//! The error names who is in the way, as far as it can be seen.

use crate::scene::{
    ANY, LOCAL, PORT, THIEF, as_user, gone, leave_time_wait, python_server, silence,
};
use lastack_graceful::bind::{Bind, Reason};
use lastack_lab::namespace::Namespace;
use lastack_lab::privilege::without_reserved_ports;
use lastack_lab::program::Process;
use lastack_lab::states::{on_port, wait_until};
use lastack_lab::systemd::unified_hierarchy;
use lastack_model::facts::ServiceKind;
use lastack_model::ids::Pid;
use lastack_model::state::State;
use lastack_os::process;
use rustix::process::Signal;
use std::fs;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

/// This very process, as the error calls it.
fn ourselves() -> String {
    called(std::process::id())
}

fn called(pid: u32) -> String {
    let process = process::describe(Pid(pid)).expect("a process");
    let service = process.service.filter(|service| service.kind != ServiceKind::Cgroup);
    let service = service.map(|service| format!(" ({service})")).unwrap_or_default();
    format!("pid {pid} {}{service}", process.name)
}

fn refusal(wanted: &Bind) -> String {
    let error = wanted.listen_all().expect_err("in use");
    assert_eq!(error.reason(), Reason::AddressInUse);
    error.to_string()
}

fn is_listening(port: u16) -> bool {
    on_port(port).iter().any(|socket| socket.state == State::Listen)
}

#[test]
fn nginx_in_its_unit_is_named_with_both() {
    let _namespace = Namespace::enter();
    let own = format!("lastack-binding-{}", std::process::id());
    let group = unified_hierarchy().join(format!("{own}.slice"));
    let unit = group.join("nginx.service");
    fs::create_dir_all(&unit).expect("a control group");
    let directory = std::env::temp_dir().join(&own);
    fs::create_dir(&directory).expect("a directory");
    let settings = directory.join("nginx.conf");
    fs::write(&settings, nginx_settings(&directory)).expect("the settings");
    let enter = "echo $$ >\"$1/cgroup.procs\" && exec nginx -p \"$2\" -c \"$3\"";
    let mut command = Command::new("sh");
    command.args(["-c", enter, "sh"]).arg(&unit).arg(&directory).arg(&settings);
    let server = Process::start(&mut command);
    wait_until("nginx listens with its worker (is it installed?)", || {
        is_listening(80)
            && fs::read_to_string(unit.join("cgroup.procs"))
                .is_ok_and(|pids| pids.lines().count() == 2)
    });

    let error = Bind::to("0.0.0.0:80").listen().expect_err("in use");
    let says = format!(
        "address in use: pid {} nginx (unit nginx.service) listens on 0.0.0.0:80",
        server.pid()
    );
    assert_eq!(error.to_string(), says);
    let explanation = error.explanation().expect("an explanation");
    assert_eq!(explanation.conflicts[0].holders.len(), 2, "the worker holds it too");
    let error = io::Error::from(error);
    assert_eq!((error.kind(), error.to_string()), (io::ErrorKind::AddrInUse, says));

    // Killed, the master would leave its worker behind.
    let master = rustix::process::Pid::from_raw(server.pid().cast_signed()).expect("a pid");
    rustix::process::kill_process(master, Signal::TERM).expect("nginx is stopped");
    wait_until("nginx and its worker are gone", || {
        fs::read_to_string(unit.join("cgroup.procs")).is_ok_and(|pids| pids.is_empty())
    });
    drop(server);
    fs::remove_dir(&unit).expect("the control group can be removed");
    fs::remove_dir(&group).expect("the control group can be removed");
    fs::remove_dir_all(&directory).expect("the directory can be removed");
}

fn nginx_settings(directory: &Path) -> String {
    let here = directory.display();
    format!(
        "daemon off; user root; worker_processes 1; pid {here}/pid; error_log {here}/error;\n\
         events {{}} http {{ access_log off; client_body_temp_path {here}/body;\n\
         proxy_temp_path {here}/proxy; fastcgi_temp_path {here}/fastcgi;\n\
         uwsgi_temp_path {here}/uwsgi; scgi_temp_path {here}/scgi;\n\
         server {{ listen 80; }} }}"
    )
}

#[test]
fn a_python_server_on_the_wildcard_is_named_to_whoever_wants_a_part_of_it() {
    let _namespace = Namespace::enter();
    let server = python_server(ANY);
    let name = called(server.pid());
    assert_eq!(
        refusal(&Bind::to(LOCAL)),
        format!("address in use: {name} listens on 0.0.0.0:8080 (wanted: 127.0.0.1:8080)")
    );
}

#[test]
fn a_socket_that_is_bound_and_does_not_listen_is_named() {
    let _namespace = Namespace::enter();
    let _bound = Bind::to(LOCAL).exclusive().bound().expect("bound");
    let says = format!("{} has bound 127.0.0.1:8080 and does not listen", ourselves());
    assert_eq!(refusal(&Bind::to(LOCAL)), format!("address in use: {says}"));
}

#[test]
fn a_connection_that_lives_on_is_named() {
    let _namespace = Namespace::enter();
    let listener = TcpListener::bind(LOCAL).expect("a listener");
    rustix::net::sockopt::set_socket_reuseaddr(&listener, false).expect("SO_REUSEADDR");
    let _client = TcpStream::connect(LOCAL).expect("connected");
    let _ours = listener.accept().expect("a connection");
    drop(listener);
    silence(PORT);
    let says = format!("{} holds a connection of 127.0.0.1:8080 in ESTABLISHED", ourselves());
    assert_eq!(refusal(&Bind::to(LOCAL)), format!("address in use: {says}"));
}

#[test]
fn time_wait_is_named_with_its_end_and_nobody_to_stop() {
    let _namespace = Namespace::enter();
    let listener = TcpListener::bind(LOCAL).expect("a listener");
    rustix::net::sockopt::set_socket_reuseaddr(&listener, false).expect("SO_REUSEADDR");
    leave_time_wait(&listener);
    drop(listener);
    silence(PORT);
    let text = refusal(&Bind::to(LOCAL));
    let says = "address in use: a connection of 127.0.0.1:8080 in TIME_WAIT, which no process holds; \
                over in ";
    let rest = text.strip_prefix(says).unwrap_or_else(|| panic!("{text}"));
    // A busy machine may have let some seconds pass.
    let left = rest.split_once(" s, at most ").and_then(|(least, most)| {
        Some((least.parse::<u64>().ok()?, most.strip_suffix(" s")?.parse::<u64>().ok()?))
    });
    assert!(
        left.is_some_and(|(least, most)| (50..=60).contains(&least) && most == least + 3),
        "{text}"
    );
    // With the option on both sides it is none of the new server's business.
    let listener = Bind::to(LOCAL.ip().to_string() + ":8081").listen().expect("a listener");
    leave_time_wait(&listener);
    drop(listener);
    silence(PORT);
    Bind::to("127.0.0.1:8081").listen().expect("it starts again at once");
}

#[test]
fn the_successor_of_a_server_that_bound_so_starts_at_once() {
    let _namespace = Namespace::enter();
    let wanted = Bind::to(ANY);
    gone(&wanted);
    wanted.listen().expect("at once");
}

#[test]
fn a_reserved_port_is_refused_with_what_is_missing() {
    let _namespace = Namespace::enter();
    let error = as_user(THIEF, || without_reserved_ports(|| Bind::to("0.0.0.0:80").listen()));
    let error = error.expect_err("not permitted");
    assert_eq!(error.reason(), Reason::NotPermitted);
    let says = "bind 0.0.0.0:80: permission denied (ports below \
                net.ipv4.ip_unprivileged_port_start need CAP_NET_BIND_SERVICE; a security module may \
                refuse others)";
    assert_eq!(error.to_string(), says);
}
