//! By peer, by local end, by process, and all of them together.

use crate::stage::{
    HERE, ONE, OTHER, assert_closes, assert_ended, assert_listens, assert_lives, close, connect,
    is_there, list, listener, selected, time_wait,
};
use lastack_lab::link::ip;
use lastack_lab::namespace::Namespace;
use lastack_lab::program::{Process, run};
use lastack_lab::sockets;
use lastack_lab::states::Pair;
use rustix::fd::OwnedFd;
use std::net::Ipv6Addr;
use std::process::Command;

/// A process that holds our end of a connection, and the peer's end.
fn held(pair: Pair) -> (Process, OwnedFd) {
    let mut command = Command::new("sleep");
    let holder = Process::start(command.arg("1000").stdin(pair.ours));
    (holder, pair.peer)
}

#[test]
fn connections_of_one_peer_end_and_those_of_its_neighbours_live() {
    Namespace::enter();
    let (server, to) = listener(HERE);
    for form in ["address", "both", "port"] {
        let (meant, bystander) = (connect(&server, to, ONE), connect(&server, to, OTHER));
        let peer = sockets::local(&meant.peer);
        let peer = match form {
            "address" => peer.ip().to_string(),
            "both" => peer.to_string(),
            _ => format!(":{}", peer.port()),
        };
        assert_closes(&["--peer", &peer], 1);
        assert_ended(&meant);
        assert_lives(&bystander);
    }
    assert_listens(&server, to);
}

#[test]
fn a_peer_of_a_dual_stack_server_is_known_by_its_ipv4_address() {
    Namespace::enter();
    let (server, to) = listener(Ipv6Addr::UNSPECIFIED);
    let to = (HERE, to.port()).into();
    let (meant, bystander) = (connect(&server, to, ONE), connect(&server, to, OTHER));
    assert_closes(&["--peer", "127.0.0.2"], 1);
    assert_ended(&meant);
    assert_lives(&bystander);
}

#[test]
fn a_link_local_peer_on_one_interface_is_not_its_namesake_on_another() {
    Namespace::enter();
    ip("link add name left type veth peer name right");
    for device in ["left", "right"] {
        ip(&format!("link set dev {device} up"));
        ip(&format!("address add fe80::7/64 dev {device} nodad"));
    }
    let (server, to) = listener(Ipv6Addr::UNSPECIFIED);
    let connect_on = |name: &str| {
        let interfaces = lastack_os::host::interfaces().expect("the interfaces");
        let index = interfaces.iter().find(|i| i.name == name).expect("it was made").index.0;
        let there = std::net::SocketAddrV6::new(
            "fe80::7".parse().expect("an address"),
            to.port(),
            0,
            index,
        );
        connect(&server, there.into(), Ipv6Addr::UNSPECIFIED)
    };
    let (meant, bystander) = (connect_on("left"), connect_on("right"));
    let port = sockets::local(&meant.peer).port();
    assert_closes(&["--peer", &format!("[fe80::7%left]:{port}")], 1);
    assert_ended(&meant);
    assert_lives(&bystander);
}

#[test]
fn connections_of_one_local_end_end_and_its_listener_lives() {
    Namespace::enter();
    let (other_server, other_to) = listener(HERE);
    for with_address in [true, false] {
        let (server, to) = listener(HERE);
        let local = if with_address { to.to_string() } else { format!(":{}", to.port()) };
        let meant = [connect(&server, to, ONE), connect(&server, to, OTHER)];
        let bystander = connect(&other_server, other_to, ONE);
        assert_closes(&["--local", &local], 2);
        meant.iter().for_each(assert_ended);
        assert_lives(&bystander);
        assert_listens(&server, to);
        assert_listens(&other_server, other_to);
    }
}

#[test]
fn one_time_wait_ends_and_its_like_of_another_peer_stays() {
    Namespace::enter();
    let (server, to) = listener(HERE);
    let meant = [time_wait(&server, to, ONE), time_wait(&server, to, ONE)];
    let bystander = time_wait(&server, to, OTHER);
    assert_closes(&["--state", "time-wait", "--peer", "127.0.0.2"], 2);
    assert!(meant.iter().all(|cookie| !is_there(to.port(), *cookie)), "they have ended");
    assert!(is_there(to.port(), bystander), "its like stays");
    assert_listens(&server, to);
}

#[test]
fn connections_of_one_process_end_and_the_process_lives() {
    Namespace::enter();
    let (server, to) = listener(HERE);
    let (mut holder, peer) = held(connect(&server, to, ONE));
    let bystander = connect(&server, to, ONE);
    let (mut other, other_peer) = held(connect(&server, to, ONE));
    let other_end = sockets::local(&other_peer);
    assert_closes(&["--pid", &holder.pid().to_string()], 1);
    assert_eq!(crate::stage::error_of(&peer), rustix::io::Errno::CONNRESET);
    for process in [&mut holder, &mut other] {
        assert!(process.child().try_wait().expect("its state").is_none(), "it was not stopped");
    }
    assert_lives(&bystander);
    assert_eq!(selected(&["--peer", &other_end.to_string()]), 1, "the other's is there");
    assert_listens(&server, to);
}

#[test]
fn everybody_who_holds_a_connection_is_named_before_it_ends() {
    Namespace::enter();
    let (server, to) = listener(HERE);
    let pair = connect(&server, to, ONE);
    let mut command = Command::new("sleep");
    let copy = pair.ours.try_clone().expect("a copy");
    let mut holder = Process::start(command.arg("1000").stdin(copy));
    drop(command);
    let peer = sockets::local(&pair.peer).to_string();
    let answer = close(&["--peer", &peer, "--dry-run", "--json"]).json();
    assert_eq!(list(&list(&answer, "connections")[0], "holders").len(), 2, "{answer}");
    let shown = close(&["--peer", &peer, "--dry-run"]).stdout;
    for pid in [holder.pid(), std::process::id()] {
        assert!(shown.contains(&format!("pid {pid}")), "{pid} is not named: {shown}");
    }
    assert_closes(&["--pid", &holder.pid().to_string()], 1);
    assert_ended(&pair);
    assert!(holder.child().try_wait().expect("its state").is_none(), "it was not stopped");
}

#[test]
fn all_conditions_must_hold() {
    Namespace::enter();
    let (server, to) = listener(HERE);
    let meant = connect(&server, to, ONE);
    let other_peer = connect(&server, to, OTHER);
    let other_state = time_wait(&server, to, ONE);
    let me = std::process::id().to_string();
    let local = to.to_string();
    let all = ["--peer", "127.0.0.2", "--local", &local, "--state", "established", "--pid", &me];
    assert_closes(&all, 1);
    assert_ended(&meant);
    assert_lives(&other_peer);
    assert!(is_there(to.port(), other_state), "its TIME_WAIT stays");
    assert_listens(&server, to);
}

#[test]
fn nothing_that_matches_is_nothing_to_do() {
    Namespace::enter();
    let (server, to) = listener(HERE);
    let bystander = connect(&server, to, ONE);
    for flags in [&["--yes"][..], &["--dry-run"], &[]] {
        let none = close(&[&["--peer", "127.0.0.9"], flags].concat());
        assert_eq!((none.code, none.stdout.as_str()), (Some(0), "No connection matches.\n"));
    }
    let none = close(&["--peer", "127.0.0.9", "--yes", "--json"]).json();
    assert_eq!((list(&none, "connections").len(), list(&none, "done").len()), (0, 0));
    // A listener is never a connection, however it is asked for.
    let idle = listener(HERE);
    assert_eq!(selected(&["--local", &idle.1.to_string()]), 0);
    assert_lives(&bystander);
    assert_listens(&server, to);
}

#[test]
fn only_the_named_namespace_is_touched() {
    Namespace::enter();
    let (server, to) = listener(HERE);
    let meant = connect(&server, to, ONE);
    let resident = Process::start(Command::new("sleep").arg("1000"));
    let name = format!("lastack-close-{}", std::process::id());
    let attached =
        run(Command::new("ip").args(["netns", "attach", &name, &resident.pid().to_string()]));
    assert_eq!(attached.code, Some(0), "{attached:#?}");
    let (near, near_to, bystander, closed) = std::thread::scope(|scope| {
        let elsewhere = scope.spawn(|| {
            Namespace::enter();
            let (near, near_to) = listener(HERE);
            let bystander = connect(&near, near_to, ONE);
            let closed = close(&["--peer", "127.0.0.2", "--netns", &name, "--yes"]);
            assert_lives(&bystander);
            assert_listens(&near, near_to);
            (near, near_to, bystander, closed)
        });
        elsewhere.join().expect("the other namespace")
    });
    drop((near, near_to, bystander));
    let detached = run(Command::new("ip").args(["netns", "delete", &name]));
    assert_eq!(detached.code, Some(0), "{detached:#?}");
    assert_eq!(closed.code, Some(0), "{}", closed.stdout);
    assert_ended(&meant);
    assert_listens(&server, to);
}

#[test]
fn a_process_of_another_network_namespace_is_said_to_live_there() {
    Namespace::enter();
    let resident = Process::start(Command::new("sleep").arg("1000"));
    Namespace::enter();
    let none = close(&["--pid", &resident.pid().to_string(), "--yes"]);
    assert_eq!(none.code, Some(0), "{}", none.stdout);
    for words in ["No connection matches.", "Not seen", "--netns"] {
        assert!(none.stdout.contains(words), "{words:?} is missing: {}", none.stdout);
    }
}

#[test]
fn the_connection_that_lastack_was_started_over_is_marked() {
    Namespace::enter();
    let (server, to) = listener(HERE);
    let _ours = connect(&server, to, ONE);
    let _their_peer = held(connect(&server, to, OTHER));
    let shown = close(&["--local", &to.to_string(), "--peer", "127.0.0.2", "--dry-run"]).stdout;
    let words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    let mark = format!("(lastack was started from pid {})", std::process::id());
    assert!(words.contains(&mark), "{shown}");
    let shown = close(&["--local", &to.to_string(), "--peer", "127.0.0.3", "--dry-run"]).stdout;
    assert!(!shown.contains("started from"), "{shown}");
}

#[test]
fn a_crowd_ends_and_the_one_among_it_that_is_not_meant_stays() {
    Namespace::enter();
    let (server, to) = listener(HERE);
    let bystander = time_wait(&server, to, OTHER);
    for _ in 0..700 {
        connect_and_end(&server, to);
    }
    // The kernel may have lent one port twice, and the later connection taken the place of the earlier's rest.
    let count = selected(&["--peer", "127.0.0.2", "--state", "time-wait"]);
    assert!(count > 500, "only {count}");
    let last = time_wait(&server, to, OTHER);
    let run = close(&["--peer", "127.0.0.2", "--state", "time-wait", "--yes", "--json"]);
    let answer = run.json();
    assert_eq!(answer["after"], serde_json::json!({ "left": 0, "others": 0 }), "{}", run.stdout);
    assert_eq!(answer["done"][0]["outcome"]["destroyed"]["destroyed"], count, "{}", run.stdout);
    assert!(is_there(to.port(), bystander) && is_there(to.port(), last));
    assert_listens(&server, to);
}

fn connect_and_end(server: &OwnedFd, to: std::net::SocketAddr) {
    let pair = connect(server, to, ONE);
    lastack_lab::program::undisturbed(|| {
        drop(pair.ours);
        drop(pair.peer);
    });
}
