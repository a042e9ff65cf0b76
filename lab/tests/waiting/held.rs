//! Ports that programs hold, and what wakes the sleeper when they let go.

use crate::sleeper::{LOCAL, Sleeper, fresh_port, request, wait};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::{Process, User, undisturbed};
use lastack_lab::sockets;
use lastack_lab::states;
use lastack_model::bind::Options;
use lastack_model::facts::Transport;
use rustix::process::Signal;
use std::io::{BufRead, BufReader};
use std::net::{Ipv6Addr, SocketAddr, UdpSocket};
use std::process::{Command, Stdio};

#[test]
fn a_free_port_is_not_waited_for() {
    Namespace::enter();
    let port = fresh_port().to_string();
    let run = wait(User::Root, &[&port, "--json"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let json = run.json();
    assert_eq!((&json["outcome"], &json["looks"]), (&"reached".into(), &0.into()), "{json}");
    assert_eq!(json["trials"], 2, "one for each family");
    let quiet = wait(User::Root, &[&port]);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
}

#[test]
fn a_listener_that_its_program_closes_without_exiting_is_noticed() {
    Namespace::enter();
    let port = fresh_port();
    let listener = states::listening(&request(LOCAL, port));
    let sleeper = Sleeper::start(&[&port.to_string(), "--json"]);
    undisturbed(|| drop(listener));
    sleeper.reached();
}

#[test]
fn a_socket_that_is_bound_and_never_listened_is_waited_for() {
    Namespace::enter();
    let port = fresh_port();
    let socket = states::bound(&request(LOCAL, port));
    let sleeper = Sleeper::start(&[&format!("127.0.0.1:{port}"), "--json"]);
    undisturbed(|| drop(socket));
    sleeper.reached();
}

#[test]
fn the_end_of_a_program_that_listens_is_noticed() {
    Namespace::enter();
    let port = fresh_port();
    let listener = states::listening(&request(LOCAL, port));
    let server = Process::start(Command::new("sleep").arg("1000").stdin(listener));
    let sleeper = Sleeper::start(&[&port.to_string(), "--json"]);
    drop(server);
    sleeper.reached();
}

#[test]
fn a_stopped_program_is_waited_for_and_named() {
    Namespace::enter();
    let port = fresh_port();
    let listener = states::listening(&request(LOCAL, port));
    let server = Process::start(Command::new("sleep").arg("1000").stdin(listener));
    let pid = rustix::process::Pid::from_raw(server.pid().cast_signed()).expect("a pid");
    rustix::process::kill_process(pid, Signal::STOP).expect("stopped");
    let run = wait(User::Root, &[&port.to_string(), "--timeout", "200ms"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(124), ""));
    assert!(run.stdout.contains(&format!("pid {}", server.pid())), "{}", run.stdout);
    let sleeper = Sleeper::start(&[&port.to_string(), "--json"]);
    drop(server);
    sleeper.reached();
}

#[test]
fn a_socket_that_a_child_inherited_is_waited_for_until_the_child_ends_too() {
    Namespace::enter();
    let port = fresh_port();
    let listener = states::listening(&request(LOCAL, port));
    let script = "exec 3<&0 </dev/null; sleep 1000 >/dev/null & echo $!; wait";
    let mut parent = Process::start(
        Command::new("sh").args(["-c", script]).stdin(listener).stdout(Stdio::piped()),
    );
    let output = BufReader::new(parent.child().stdout.take().expect("a pipe"));
    let heir = output.lines().next().expect("a line").expect("text").parse().expect("a pid");
    let heir = rustix::process::Pid::from_raw(heir).expect("a pid");
    let sleeper = Sleeper::start(&[&port.to_string(), "--json"]);
    drop(parent);
    states::wait_until("it looked again and sleeps again", || !states::on_port(port).is_empty());
    assert!(sleeper.is_running(), "the heir holds it still");
    rustix::process::kill_process(heir, Signal::KILL).expect("the heir is killed");
    sleeper.reached();
}

#[test]
fn a_connection_that_outlives_its_listener_is_waited_for() {
    Namespace::enter();
    let port = fresh_port();
    let listener = states::listening(&request(LOCAL, port));
    let pair = states::established(&listener, SocketAddr::from((LOCAL, port)));
    undisturbed(|| drop(listener));
    let sleeper = Sleeper::start(&[&format!("127.0.0.1:{port}"), "--json"]);
    undisturbed(|| sockets::reset(pair.ours));
    let json = sleeper.reached();
    assert_eq!(json["explanation"], serde_json::Value::Null);
}

#[test]
fn as_an_ordinary_user_another_users_socket_is_waited_for() {
    Namespace::enter();
    let port = fresh_port();
    let listener = states::listening(&request(LOCAL, port));
    let sleeper = Sleeper::start_as(User::Nobody, &[&port.to_string(), "--json"]);
    undisturbed(|| drop(listener));
    sleeper.reached();
}

#[test]
fn a_udp_socket_is_waited_for_and_a_tcp_one_of_the_same_number_is_not() {
    Namespace::enter();
    let port = fresh_port();
    let _tcp = states::listening(&request(LOCAL, port));
    let udp = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port)).expect("bind");
    let sleeper = Sleeper::start(&[&format!("udp/{port}"), "--json"]);
    undisturbed(|| drop(udp));
    sleeper.reached();
}

#[test]
fn an_address_is_free_only_when_both_families_are() {
    Namespace::enter();
    let port = fresh_port();
    let v4 = states::listening(&request(LOCAL, port));
    let v6only = Options { v6only: true, ..Options::default() };
    let v6 = states::listening(&lastack_model::bind::Request {
        options: v6only,
        ..request(Ipv6Addr::LOCALHOST, port)
    });
    let sleeper = Sleeper::start(&[&port.to_string(), "--json"]);
    undisturbed(|| drop(v4));
    states::wait_until("one is left", || states::on_port(port).len() == 1);
    assert!(sleeper.is_running());
    undisturbed(|| drop(v6));
    sleeper.reached();
}

/// The kernel's news of the trial socket's own end must not lead to the next trial.
#[test]
fn a_wait_does_not_wake_itself_where_one_family_can_be_bound_and_the_other_not() {
    Namespace::enter();
    let port = fresh_port();
    let _v6 = states::listening(&request(Ipv6Addr::LOCALHOST, port));
    let run = wait(User::Root, &[&port.to_string(), "--timeout", "1s", "--json"]);
    let json = run.json();
    assert_eq!((run.code, &json["outcome"]), (Some(124), &"timed_out".into()));
    assert!(json["trials"].as_u64() <= Some(60), "one every 20 ms: {}", json["trials"]);
    assert!(json["looks"].as_u64() <= Some(2), "the first and the last: {}", json["looks"]);
}

#[test]
fn the_options_of_the_wanted_socket_decide_what_is_in_the_way() {
    Namespace::enter();
    let port = fresh_port();
    let reusing = Options { reuse_address: true, ..Options::default() };
    let other =
        states::bound(&lastack_model::bind::Request { options: reusing, ..request(LOCAL, port) });
    let place = format!("127.0.0.1:{port}");
    let run = wait(User::Root, &[&place, "--reuse-address", "--json"]);
    assert_eq!((run.code, &run.json()["looks"]), (Some(0), &0.into()));
    let sleeper = Sleeper::start(&[&place, "--json"]);
    undisturbed(|| drop(other));
    sleeper.reached();
}

#[test]
fn the_network_namespace_of_another_process_is_waited_in() {
    Namespace::enter();
    let port = fresh_port();
    let listener = states::listening(&request(LOCAL, port));
    let resident = Process::start(Command::new("sleep").arg("1000"));
    Namespace::enter();
    let place = format!("127.0.0.1:{port}");
    assert_eq!(wait(User::Root, &[&place]).code, Some(0), "free here");
    let sleeper = Sleeper::start(&[&place, "--pid", &resident.pid().to_string(), "--json"]);
    undisturbed(|| drop(listener));
    sleeper.reached();
}

#[test]
fn a_port_that_changes_hands_is_waited_for_again() {
    Namespace::enter();
    let port = fresh_port();
    let listener = states::listening(&request(LOCAL, port));
    let pair = states::established(&listener, SocketAddr::from((LOCAL, port)));
    let place = format!("127.0.0.1:{port}");
    let sleeper = Sleeper::start(&[&place, "--json"]);
    undisturbed(|| drop(listener));
    states::time_wait(pair);
    assert!(sleeper.is_running(), "a TIME_WAIT has taken the listener's place");
    let found = states::on_port(port);
    let mut destroyer = lastack_os::act::destroy::Destroyer::open().expect("root may destroy");
    destroyer.destroy_all(&found).expect("destroyed");
    sleeper.reached();
    assert!(found.iter().all(|socket| socket.transport == Transport::Tcp));
}
