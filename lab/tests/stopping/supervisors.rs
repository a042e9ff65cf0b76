//! Supervisors of several programs: told to stop the one, they keep it down and run the others on.

use crate::scratch::{
    SIBLING, Scratch, Supervisor, WEB, assert_stopped_by, from_npm, listening, wait_until_said,
};
use lastack_lab::namespace::Namespace;
use lastack_lab::owner;
use lastack_lab::program::{Run, run};
use lastack_model::stop::Hindrance;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

/// Two services in the form that runit, s6 and daemontools share: a directory each, with a program `run` in it.
fn two_services(scratch: &Scratch) -> String {
    for (name, port) in [("web", WEB), ("sibling", SIBLING)] {
        scratch.script(&format!("services/{name}/run"), &format!("exec {}", scratch.server(port)));
    }
    scratch.path("services")
}

#[test]
fn a_program_of_supervisord_is_stopped_by_its_group_and_name() {
    Namespace::enter();
    let scratch = Scratch::new("supervisord");
    let (_supervisor, server) = supervisord(&scratch, true);
    listening(&[WEB, SIBLING]);
    assert_stopped_by(&format!("supervisorctl -s {server} stop shop:web_00"), &[]);
    wait_until_said(&["supervisorctl", "-s", &server, "status", "shop:web_00"], "STOPPED");
}

#[test]
fn supervisord_without_a_server_cannot_be_told_and_that_is_said() {
    Namespace::enter();
    let scratch = Scratch::new("supervisord-mute");
    let (_supervisor, _) = supervisord(&scratch, false);
    listening(&[WEB]);
    let hindrances = owner::stops(WEB).expect_err("hindered");
    let [Hindrance::Restarted { by, advice, .. }] = &hindrances[..] else {
        panic!("{hindrances:?}")
    };
    assert_eq!(by.name, "supervisord");
    assert!(advice.contains("supervisorctl stop shop:web_00"), "{advice}");
}

fn supervisord(scratch: &Scratch, with_server: Server) -> (Supervisor, String) {
    let socket = scratch.path("socket");
    let server = if with_server {
        format!(
            "[unix_http_server]\nfile={socket}\n[rpcinterface:supervisor]\n\
             supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n"
        )
    } else {
        String::new()
    };
    let program = |name: &str, port| {
        format!(
            "[program:{name}]\ncommand={}\nprocess_name=%(program_name)s_%(process_num)02d\n\
             autorestart=true\nstopwaitsecs=5\n",
            scratch.server(port)
        )
    };
    let settings = format!(
        "{server}[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile={}\n\
         {}{}[group:shop]\nprograms=web,sibling\n",
        scratch.path("pid"),
        program("web", WEB),
        program("sibling", SIBLING)
    );
    scratch.write("supervisord.conf", &settings);
    let command = ["supervisord", "-c", &scratch.path("supervisord.conf")];
    (Supervisor::start(&command, &[&["kill", "PID"]]), format!("unix://{socket}"))
}

/// Whether supervisord listens for commands.
type Server = bool;

#[test]
fn a_service_of_runit_is_stopped_by_its_directory() {
    Namespace::enter();
    let scratch = Scratch::new("runit");
    let services = two_services(&scratch);
    let _supervisor = Supervisor::start(&["runsvdir", &services], &[&["kill", "-HUP", "PID"]]);
    listening(&[WEB, SIBLING]);
    assert_stopped_by(&format!("sv stop {services}/web"), &[]);
    wait_until_said(&["sv", "status", &format!("{services}/web")], "down:");
}

#[test]
fn a_logger_of_runit_is_not_taken_for_its_service() {
    Namespace::enter();
    let scratch = Scratch::new("runit-log");
    scratch.script("services/web/run", &format!("exec {}", scratch.server(SIBLING)));
    // A logger ends with its input.
    let logger = format!("{} & cat >/dev/null; kill $!", scratch.server(WEB));
    scratch.script("services/web/log/run", &logger);
    let services = scratch.path("services");
    let _supervisor = Supervisor::start(&["runsvdir", &services], &[&["kill", "-HUP", "PID"]]);
    listening(&[WEB, SIBLING]);
    let hindrances = owner::stops(WEB).expect_err("hindered");
    assert!(matches!(&hindrances[..], [Hindrance::Restarted { .. }]), "{hindrances:?}");
}

#[test]
fn a_service_of_s6_is_stopped_by_its_directory() {
    Namespace::enter();
    let scratch = Scratch::new("s6");
    let services = two_services(&scratch);
    let farewell: &[&str] = &["s6-svscanctl", "-t", &services];
    let _supervisor = Supervisor::start(&["s6-svscan", &services], &[farewell]);
    listening(&[WEB, SIBLING]);
    assert_stopped_by(&format!("s6-svc -d {services}/web"), &[]);
    wait_until_said(&["s6-svstat", &format!("{services}/web")], "down");
}

#[test]
fn a_service_of_daemontools_is_stopped_by_its_directory() {
    Namespace::enter();
    let scratch = Scratch::new("daemontools");
    let services = two_services(&scratch);
    let (web, sibling) = (format!("{services}/web"), format!("{services}/sibling"));
    let farewell: [&[&str]; 2] = [&["kill", "PID"], &["svc", "-dx", &web, &sibling]];
    let _supervisor = Supervisor::start(&["svscan", &services], &farewell);
    listening(&[WEB, SIBLING]);
    assert_stopped_by(&format!("svc -d {web}"), &[]);
    wait_until_said(&["svstat", &web], "down");
}

#[test]
fn what_a_supervised_program_started_ends_with_it_and_is_named_before() {
    Namespace::enter();
    let scratch = Scratch::new("runit-company");
    let services = two_services(&scratch);
    let script = format!("trap 'kill $!; exit' TERM; {} & wait", scratch.server(WEB));
    scratch.script("services/web/run", &script);
    let _supervisor = Supervisor::start(&["runsvdir", &services], &[&["kill", "-HUP", "PID"]]);
    listening(&[WEB, SIBLING]);
    assert_stopped_by(&format!("sv stop {services}/web"), &["run"]);
    wait_until_said(&["sv", "status", &format!("{services}/web")], "down:");
}

/// PM2 with a home of its own; its daemon ends when this is dropped.
struct Pm2 {
    home: String,
    programs: PathBuf,
}

impl Pm2 {
    fn new(scratch: &Scratch) -> Self {
        let program = from_npm("pm2");
        let programs = program.parent().expect("a directory").canonicalize().expect("its path");
        Self { home: scratch.path("pm2"), programs }
    }

    /// Runs a command that finds this PM2.
    fn run(&self, program: &str, arguments: &[&str]) -> Run {
        let path = std::env::var("PATH").expect("a PATH");
        let path = format!("{}:{path}", self.programs.display());
        let mut command = Command::new(program);
        run(command.args(arguments).env("PATH", path).env("PM2_HOME", &self.home))
    }

    fn start(&self, arguments: &[&str]) {
        let run = self.run(&self.program(), &[&["start"], arguments].concat());
        assert_eq!(run.code, Some(0), "{run:#?}");
    }

    fn program(&self) -> String {
        self.programs.join("pm2").to_str().expect("a path in UTF-8").to_owned()
    }
}

impl Drop for Pm2 {
    fn drop(&mut self) {
        self.run(&self.program(), &["kill"]);
    }
}

#[test]
fn a_program_of_pm2_is_stopped_by_its_number() {
    Namespace::enter();
    let scratch = Scratch::new("pm2");
    let pm2 = Pm2::new(&scratch);
    let server = scratch.path("server.py");
    for (name, port) in [("web", WEB), ("sibling", SIBLING)] {
        let port = port.to_string();
        pm2.start(&[&server, "--interpreter", "/usr/bin/python3", "--name", name, "--", &port]);
    }
    listening(&[WEB, SIBLING]);
    let sibling = owner::pids(SIBLING);
    // PM2 must be found in the path, which a test cannot change for itself alone.
    let run = pm2.run(env!("CARGO_BIN_EXE_stopper"), &[&WEB.to_string()]);
    let expected = format!("stop PM2_HOME={} pm2 stop 0\noutcome Ended", pm2.home);
    assert!(run.stdout.starts_with(&expected), "{run:#?}");
    drop(TcpListener::bind(("127.0.0.1", WEB)).expect("the port is free"));
    assert_eq!(owner::pids(SIBLING), sibling, "the bystander lives");
    let states = pm2.run(&pm2.program(), &["jlist"]).stdout;
    assert!(states.contains(r#""status":"stopped""#), "{states}");
}

#[test]
fn pm2_in_cluster_mode_holds_the_socket_itself_and_is_not_ended() {
    Namespace::enter();
    let scratch = Scratch::new("pm2-cluster");
    let pm2 = Pm2::new(&scratch);
    let script = format!("require('net').createServer().listen({WEB}, '127.0.0.1');");
    scratch.write("server.js", &script);
    pm2.start(&[&scratch.path("server.js"), "-i", "2"]);
    listening(&[WEB]);
    let hindrances = owner::stops(WEB).expect_err("hindered");
    let [keeper @ Hindrance::Keeper { .. }] = &hindrances[..] else { panic!("{hindrances:?}") };
    assert!(keeper.advice().contains("pm2 stop NAME"), "{}", keeper.advice());
}
