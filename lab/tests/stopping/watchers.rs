//! Development watchers: they run one thing and would start it again, so they are what is ended.

use crate::scratch::{SIBLING, Scratch, Supervisor, WEB, assert_stopped_by, from_npm, listening};
use lastack_lab::namespace::Namespace;
use lastack_lab::owner;

/// Ends the watcher of [`WEB`] while another of its kind goes on with [`SIBLING`].
fn assert_watcher_ended(watchers: &[Supervisor; 2], also: &[&str]) {
    listening(&[WEB, SIBLING]);
    let [web, sibling] = watchers;
    let server = owner::pids(WEB);
    assert!(!server.contains(&web.pid()), "the watcher itself holds nothing: {server:?}");
    assert_stopped_by(&format!("kill -TERM {}", web.pid()), also);
    assert!(web.has_ended() && !sibling.has_ended());
}

#[test]
fn nodemon_is_ended_with_what_it_runs() {
    Namespace::enter();
    let scratch = Scratch::new("nodemon");
    let script = "require('net').createServer().listen(+process.argv[2], '127.0.0.1');";
    scratch.write("server.js", script);
    let nodemon = from_npm("nodemon");
    let start = |port: u16| {
        let nodemon = nodemon.to_str().expect("a path in UTF-8");
        let port = port.to_string();
        let watched = scratch.path("");
        let command = [nodemon, "--quiet", "--watch", &watched, &scratch.path("server.js"), &port];
        Supervisor::start(&command, &[&["kill", "PID"]])
    };
    assert_watcher_ended(&[start(WEB), start(SIBLING)], &["node"]);
}

#[test]
fn watchmedo_is_ended_with_what_it_runs() {
    Namespace::enter();
    let scratch = Scratch::new("watchmedo");
    let start = |port: u16| {
        let (watched, server) = (scratch.path(""), scratch.path("server.py"));
        let port = port.to_string();
        let command = ["watchmedo", "auto-restart", "--directory", &watched, "--"];
        let command = [&command[..], &["/usr/bin/python3", &server, &port]].concat();
        Supervisor::start(&command, &[&["kill", "PID"]])
    };
    assert_watcher_ended(&[start(WEB), start(SIBLING)], &["watchmedo"]);
}
