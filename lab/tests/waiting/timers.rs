//! What ends by a timer of the kernel, or earlier because somebody ends it; and waits that are over before that.

use crate::sleeper::{LOCAL, Sleeper, fresh_port, request, wait};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::User;
use lastack_lab::states;
use lastack_model::state::State;
use lastack_os::act::destroy::Destroyer;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A port that a `TIME_WAIT` alone holds.
fn time_wait(port: u16) -> String {
    let listener = states::listening(&request(LOCAL, port));
    states::time_wait(states::established(&listener, SocketAddr::from((LOCAL, port))));
    lastack_lab::program::undisturbed(|| drop(listener));
    format!("127.0.0.1:{port}")
}

#[test]
fn an_orphan_is_waited_for_until_its_timer_ends_it() {
    let namespace = Namespace::enter();
    namespace.set("ipv4/tcp_fin_timeout", "1");
    let port = fresh_port();
    let listener = states::listening(&request(LOCAL, port));
    let pair = states::established(&listener, SocketAddr::from((LOCAL, port)));
    lastack_lab::program::undisturbed(|| drop(listener));
    let _peer = states::orphan_fin_wait_2(pair);
    let began = Instant::now();
    let sleeper = Sleeper::start(&[&format!("127.0.0.1:{port}"), "--json"]);
    let json = sleeper.reached();
    assert!(states::on_port(port).iter().all(|socket| socket.port().0 != port), "it is gone");
    assert!(began.elapsed() < Duration::from_secs(5));
    let trials = json["trials"].as_u64().expect("a number");
    assert!(trials < 150, "few trials far from the end: {json}");
}

#[test]
fn a_time_wait_that_somebody_ends_is_noticed_long_before_its_timer() {
    Namespace::enter();
    let port = fresh_port();
    let place = time_wait(port);
    let sleeper = Sleeper::start(&[&place, "--json"]);
    let mut destroyer = Destroyer::open().expect("root may destroy");
    destroyer.destroy_all(&states::on_port(port)).expect("destroyed");
    let json = sleeper.reached();
    assert!(json["waited_ms"].as_u64() < Some(10_000), "{json}");
}

#[test]
fn a_time_wait_of_a_server_with_the_option_is_no_obstacle_to_one_with_it() {
    Namespace::enter();
    let port = fresh_port();
    let reusing = lastack_model::bind::Options { reuse_address: true, ..Default::default() };
    let wanted = lastack_model::bind::Request { options: reusing, ..request(LOCAL, port) };
    let listener = states::listening(&wanted);
    states::time_wait(states::established(&listener, SocketAddr::from((LOCAL, port))));
    lastack_lab::program::undisturbed(|| drop(listener));
    let place = format!("127.0.0.1:{port}");
    assert_eq!(wait(User::Root, &[&place, "--reuse-address", "--timeout", "0"]).code, Some(0));
    assert_eq!(wait(User::Root, &[&place, "--timeout", "0"]).code, Some(124));
}

#[test]
fn a_wait_whose_time_is_over_says_what_still_stands_in_the_way() {
    Namespace::enter();
    let port = fresh_port();
    let place = time_wait(port);
    let text = wait(User::Root, &[&place, "--timeout", "100ms", "--", "false"]);
    assert_eq!((text.code, text.stderr.as_str()), (Some(124), ""));
    for words in ["is in use", "TIME_WAIT", "the kernel alone keeps it", "at most 1 min"] {
        assert!(text.stdout.contains(words), "{words:?} is missing: {}", text.stdout);
    }
    let json = wait(User::Root, &[&place, "--timeout", "100ms", "--json"]);
    assert_eq!(json.code, Some(124));
    let json = json.json();
    assert_eq!((&json["outcome"], &json["exit"]), (&"timed_out".into(), &124.into()));
    assert!(json["waited_ms"].as_u64() >= Some(100), "{json}");
    let conflict = &json["explanation"]["conflicts"][0];
    assert_eq!(conflict["role"], "time_wait");
    assert_eq!(conflict["sockets"]["example"]["state"], State::TimeWait.name());
    assert!(!text.stdout.contains('\x1b'));
}
