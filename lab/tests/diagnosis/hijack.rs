//! When another user can take a port from a server, and when not: two users, asked about and tried.

use crate::answer::{ANY, Answer, LOCAL, fresh_port, request, why};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::lastack;
use lastack_lab::sockets;
use lastack_lab::states;
use lastack_model::bind::{Options, Request};
use lastack_model::errno::Errno;
use lastack_model::ids::Uid;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

const VICTIM: Uid = Uid(1001);
const NEWCOMER: Uid = Uid(1002);

/// The newcomer asks whether it can bind with these options; `why` compares the answer with a real bind.
fn newcomer_asks(address: IpAddr, port: u16, options: Options) -> Answer {
    let place = SocketAddr::new(address, port).to_string();
    let uid = NEWCOMER.to_string();
    let mut arguments = vec![place.as_str(), "--uid", &uid];
    let flags = [
        (options.reuse_address, "--reuse-address"),
        (options.reuse_port, "--reuse-port"),
        (options.v6only, "--v6only"),
    ];
    arguments.extend(flags.iter().filter_map(|(set, flag)| set.then_some(*flag)));
    why(&arguments)
}

fn with(options: Options, of: &Request, uid: Uid) -> Request {
    Request { options, uid, ..of.clone() }
}

const REUSE_ADDRESS: Options = Options {
    reuse_address: true,
    reuse_port: false,
    v6only: false,
    device: None,
    free_bind: false,
};

#[test]
fn between_bind_and_listen_another_user_can_take_the_port_by_reuse_address() {
    Namespace::enter();
    let port = fresh_port();
    let victim = states::bound(&with(REUSE_ADDRESS, &request(LOCAL, port), VICTIM));
    let answer = newcomer_asks(LOCAL.into(), port, REUSE_ADDRESS);
    assert_eq!(answer.verdict(), ("free", 0), "{}", answer.text);
    let cautions = answer.json["cautions"].as_array().expect("a list");
    assert!(cautions.iter().any(|c| c == "first_to_listen_wins"), "{}", answer.text);
    let _thief = states::listening(&with(REUSE_ADDRESS, &request(LOCAL, port), NEWCOMER));
    assert_eq!(sockets::listen(&victim, 1), Err(Errno::AddressInUse), "the victim is too late");
}

#[test]
fn between_bind_and_listen_no_other_option_lets_another_user_in() {
    Namespace::enter();
    for reuse_port in [false, true] {
        let options = Options { reuse_port, ..Options::default() };
        let port = fresh_port();
        let _victim = states::bound(&with(options, &request(LOCAL, port), VICTIM));
        let answer = newcomer_asks(LOCAL.into(), port, options);
        assert_eq!(answer.verdict(), ("in_use", 1), "{options:?}: {}", answer.text);
    }
}

#[test]
fn while_a_server_restarts_another_user_can_take_the_port_by_reuse_address() {
    Namespace::enter();
    let port = fresh_port();
    let victim = with(REUSE_ADDRESS, &request(LOCAL, port), VICTIM);
    let listener = states::listening(&victim);
    let pair = states::established(&listener, SocketAddr::from((LOCAL, port)));
    drop(listener);
    states::time_wait(pair);
    let plain = newcomer_asks(LOCAL.into(), port, Options::default());
    assert_eq!(plain.verdict(), ("in_use", 1));
    let answer = newcomer_asks(LOCAL.into(), port, REUSE_ADDRESS);
    assert_eq!(answer.verdict(), ("free", 0), "{}", answer.text);
    let _thief = states::listening(&with(REUSE_ADDRESS, &request(LOCAL, port), NEWCOMER));
    let answer = why(&[&format!("127.0.0.1:{port}"), "--uid", "1001", "--reuse-address"]);
    assert_eq!(answer.verdict(), ("in_use", 1), "the victim cannot come back");
}

#[test]
fn a_listening_victim_cannot_be_overlapped_with_any_options() {
    Namespace::enter();
    let dual = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let choices = [(false, false), (true, false), (false, true), (true, true)];
    for (reuse_address, reuse_port) in choices {
        let options = Options { reuse_address, reuse_port, ..Options::default() };
        let port = fresh_port();
        let _victim = states::listening(&with(options, &request(LOCAL, port), VICTIM));
        for address in [LOCAL.into(), ANY.into(), dual] {
            let answer = newcomer_asks(address, port, options);
            assert_eq!(answer.verdict(), ("in_use", 1), "{address} {options:?}: {}", answer.text);
        }
    }
}

#[test]
fn the_other_family_of_a_listener_is_open_to_anybody_and_the_overview_says_so() {
    Namespace::enter();
    let port = fresh_port();
    let _victim = states::listening(&Request { uid: VICTIM, ..request(ANY, port) });
    let overview = lastack(&["--json"]);
    assert_eq!(overview.code, Some(1), "{}", overview.stdout);
    let problems = overview.json()["overview"]["problems"].clone();
    let expected = serde_json::json!({"one_family": {"listener": format!("0.0.0.0:{port}")}});
    assert!(problems.as_array().expect("a list").contains(&expected), "{problems}");
    let text = lastack(&[]).stdout;
    assert!(text.contains(&format!("0.0.0.0:{port} listens on one family")), "{text}");
    let v6only = Options { v6only: true, ..Options::default() };
    let loopback = IpAddr::V6(Ipv6Addr::LOCALHOST);
    assert_eq!(newcomer_asks(loopback, port, Options::default()).verdict(), ("free", 0));
    let any = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    assert_eq!(newcomer_asks(any, port, v6only).verdict(), ("free", 0));
    let _thief = states::listening(&Request { uid: NEWCOMER, ..request(loopback, port) });
}

#[test]
fn a_server_that_listens_on_both_families_leaves_none_open() {
    Namespace::enter();
    let port = fresh_port();
    let _server =
        states::listening(&Request { uid: VICTIM, ..request(Ipv6Addr::UNSPECIFIED, port) });
    let overview = lastack(&["--json"]);
    assert_eq!(overview.code, Some(0), "{}", overview.stdout);
    assert_eq!(overview.json()["overview"]["problems"], serde_json::json!([]));
    let loopback = IpAddr::V6(Ipv6Addr::LOCALHOST);
    for address in [loopback, LOCAL.into()] {
        let answer = newcomer_asks(address, port, Options::default());
        assert_eq!(answer.verdict(), ("in_use", 1), "{address}");
    }
}
