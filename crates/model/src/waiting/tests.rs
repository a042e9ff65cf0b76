//! That a port is not left free for long, that looking stays cheap, and what counts as listening.

use super::*;
use crate::bind::{Options, Request};
use crate::facts::{Facts, Host, KernelVersion, LocalRoute, LocalRouteKind, Timer, TimerKind};
use crate::ids::{Cookie, Inode, Port, Uid};
use crate::why::{self, Need, Permission, Question};
use proptest::prelude::*;
use std::net::{Ipv4Addr, SocketAddr};

const SECOND: Duration = Duration::from_secs(1);

fn socket(state: State, local: &str) -> Socket {
    let local: SocketAddr = local.parse().expect("an address");
    let mut socket = Socket::closed(Transport::Tcp, local);
    socket.state = state;
    socket.uid = Some(Uid(0));
    socket.inode = Some(Inode(state as u64 + 1));
    socket.cookie = Cookie(state as u64 + 1);
    if !matches!(state, State::Listen | State::Closed) {
        socket.remote = Some("127.0.0.1:40000".parse().expect("an address"));
    }
    socket
}

fn time_wait(remaining_ms: u32) -> Socket {
    Socket {
        kind: Kind::Minisock,
        timer: Timer { kind: TimerKind::TimeWait, remaining_ms, retransmits: 0 },
        inode: None,
        ..socket(State::TimeWait, "127.0.0.1:8080")
    }
}

/// Why 127.0.0.1:8080 cannot be bound beside these.
fn beside(sockets: Vec<Socket>) -> Explanation {
    explain(sockets, Ipv4Addr::LOCALHOST, Permission::Forbidden)
}

fn explain(sockets: Vec<Socket>, address: Ipv4Addr, trial: Permission) -> Explanation {
    let network = Ipv4Addr::new(127, 0, 0, 0);
    let local = LocalRoute { network, prefix: 8, kind: LocalRouteKind::Local };
    let kernel = KernelVersion::new(6, 18);
    let host = Host { kernel, routes: vec![local], ..Host::default() };
    let mut facts = Facts { host, ..Facts::default() };
    for socket in sockets {
        facts.sockets.add(socket);
    }
    let request = Request {
        transport: Transport::Tcp,
        address: address.into(),
        port: Port(8080),
        options: Options::default(),
        uid: Uid(0),
        may_bind_reserved: true,
    };
    let elsewhere = Permission::Forbidden;
    let question = Question { asked: "8080".into(), requests: vec![request], trial, elsewhere };
    loop {
        match why::why(&question, &facts) {
            Ok(explanation) => return explanation,
            Err(Need::Holders(inodes)) => facts.holders_sought.extend(inodes),
            Err(need) => panic!("{need:?} is not needed"),
        }
    }
}

#[test]
fn the_last_end_counts_and_a_program_may_let_go_at_any_moment() {
    let seconds = |n| Outlook::Timed(SECOND * n);
    let waits = vec![time_wait(4_000), time_wait(9_000)];
    assert_eq!(Outlook::of(&beside(waits.clone()), Hearing::Heard), seconds(9));
    let listener = socket(State::Listen, "127.0.0.1:8080");
    let held = beside([waits.clone(), vec![listener.clone()]].concat());
    assert_eq!(
        Outlook::of(&held, Hearing::Heard),
        Outlook::Held,
        "a listener's end is not relied on"
    );
    let connection = socket(State::CloseWait, "127.0.0.1:8080");
    let leak = beside([waits, vec![connection.clone()]].concat());
    assert_eq!(Outlook::of(&leak, Hearing::Heard), Outlook::Announced);
    assert_eq!(Outlook::of(&leak, Hearing::Deaf), Outlook::Held);
    let both = beside(vec![listener, connection]);
    assert_eq!(Outlook::of(&both, Hearing::Heard), Outlook::Held);
}

#[test]
fn waiting_is_in_vain_only_where_no_socket_is_to_blame() {
    let listener = || socket(State::Listen, "127.0.0.1:8080");
    assert_eq!(Prospect::of(&beside(vec![])), Prospect::Open);
    assert_eq!(Prospect::of(&beside(vec![listener()])), Prospect::Blocked);
    let foreign = explain(vec![listener()], Ipv4Addr::new(192, 0, 2, 1), Permission::Allowed);
    assert_eq!(Prospect::of(&foreign), Prospect::Refused);
    assert_eq!(Outlook::of(&foreign, Hearing::Heard), Outlook::Unknown);
}

#[test]
fn the_sentinel_is_a_socket_that_certainly_blocks_and_can_be_looked_up() {
    let state = |sockets: Vec<Socket>| sentinel(&beside(sockets)).map(|socket| socket.state);
    let bound = socket(State::Closed, "127.0.0.1:8080");
    let listener = socket(State::Listen, "127.0.0.1:8080");
    let leak = socket(State::CloseWait, "127.0.0.1:8080");
    assert_eq!(state(vec![]), None);
    assert_eq!(state(vec![time_wait(9_000)]), None, "its timer tells more");
    assert_eq!(state(vec![bound.clone()]), None, "it is in no table");
    assert_eq!(state(vec![bound, leak.clone()]), Some(State::CloseWait));
    assert_eq!(state(vec![leak, listener]), Some(State::Listen));
}

#[test]
fn cheap_looks_come_often_when_it_may_happen_any_moment_and_seldom_before_a_timer() {
    let cheap = Cost { last: Duration::from_micros(40), ..Cost::default() };
    let ms = Duration::from_millis;
    assert_eq!(Outlook::Held.pause(SECOND, cheap), ms(20));
    assert_eq!(Outlook::Announced.pause(SECOND, cheap), ms(250));
    let timed = Outlook::Timed(SECOND * 60);
    assert_eq!(timed.pause(SECOND, cheap), ms(250));
    assert_eq!(timed.pause(ms(59_800), cheap), ms(100), "not past the beginning of the end");
    assert_eq!(timed.pause(ms(59_900), cheap), ms(20));
    assert_eq!(timed.pause(ms(62_900), cheap), ms(20), "the timers' slack");
    assert_eq!(timed.pause(ms(63_100), cheap), ms(250));
    assert!(!timed.is_past(ms(62_900)) && timed.is_past(ms(63_100)));
}

#[test]
fn what_was_saved_is_spent_near_the_end() {
    let last = Duration::from_millis(12);
    let saved = Cost { last, spent: last, waited: SECOND * 60 };
    let spent = Cost { last, spent: SECOND, waited: SECOND * 60 };
    let timed = Outlook::Timed(SECOND * 60);
    assert_eq!(timed.pause(SECOND * 61, saved), Duration::from_millis(48));
    assert_eq!(timed.pause(SECOND * 61, spent), SECOND * 3);
}

#[test]
fn crowds_are_explained_seldom() {
    let crowd = Duration::from_millis(60);
    assert_eq!(Occasion::Changed.pause(crowd), SECOND * 12);
    assert_eq!(Occasion::Routine.pause(crowd), SECOND * 24);
    assert_eq!(Occasion::Changed.pause(Duration::ZERO), Duration::from_millis(100));
}

#[test]
fn a_connected_udp_socket_serves_nobody_else() {
    let mut udp = socket(State::Closed, "127.0.0.1:53");
    udp.transport = Transport::Udp;
    assert!(Spot::Anywhere.is_served_by(&udp));
    udp.remote = Some("127.0.0.1:9".parse().expect("an address"));
    assert!(!Spot::Anywhere.is_served_by(&udp));
}

#[test]
fn a_wildcard_is_served_by_a_wildcard_only() {
    let at = |spot: &str| Spot::At(spot.parse().expect("an address"));
    let mut dual = socket(State::Listen, "[::]:80");
    dual.v6only = Truth::No;
    let only = Socket { v6only: Truth::Yes, ..dual.clone() };
    let local = socket(State::Listen, "127.0.0.1:80");
    for (spot, served) in [
        ("0.0.0.0", [true, false, false]),
        ("::", [true, true, false]),
        ("127.0.0.1", [true, false, true]),
        ("::ffff:127.0.0.1", [true, false, true]),
        ("127.0.0.2", [true, false, false]),
        ("::1", [true, true, false]),
    ] {
        let found = [&dual, &only, &local].map(|socket| at(spot).is_served_by(socket));
        assert_eq!(found, served, "{spot}");
    }
}

fn outlooks() -> impl Strategy<Value = Outlook> {
    prop_oneof![
        Just(Outlook::Held),
        Just(Outlook::Announced),
        Just(Outlook::Unknown),
        (0_u64..200_000).prop_map(|ms| Outlook::Timed(Duration::from_millis(ms))),
    ]
}

proptest! {
    /// Waits for so long, each look costing so much: the share that looking took, and the longest pause near the end.
    #[test]
    fn looking_takes_less_than_a_hundredth_of_a_processor(
        outlook in outlooks(),
        cost_us in 1_u64..40_000,
        total_s in 10_u64..300,
    ) {
        let (last, total) = (Duration::from_micros(cost_us), SECOND * u32::try_from(total_s).unwrap());
        let mut cost = Cost::default();
        while cost.waited < total {
            cost = cost.plus(last);
            cost.waited += outlook.pause(cost.waited, cost) + last;
        }
        // One look may be under way at either end.
        prop_assert!(cost.spent <= cost.waited / 100 + last * 2, "{:?} of {:?}", cost.spent, cost.waited);
    }

    #[test]
    fn a_cheap_look_follows_within_a_quarter_second_and_never_at_once(
        outlook in outlooks(),
        age_ms in 0_u64..400_000,
        cost_us in 0_u64..1_000,
    ) {
        let cost = Cost { last: Duration::from_micros(cost_us), ..Cost::default() };
        let pause = outlook.pause(Duration::from_millis(age_ms), cost);
        prop_assert!(pause >= Duration::from_millis(20) && pause <= Duration::from_millis(250));
    }

    #[test]
    fn a_timed_end_is_met_by_frequent_looks(
        least_ms in 0_u64..70_000,
        late_ms in 0_u64..TIMER_SLACK_MS,
        cost_us in 1_u64..75,
    ) {
        let (outlook, end) = (Outlook::Timed(Duration::from_millis(least_ms)), least_ms + late_ms);
        let last = Duration::from_micros(cost_us);
        let mut cost = Cost::default();
        while cost.waited < Duration::from_millis(end) {
            cost = cost.plus(last);
            cost.waited += outlook.pause(cost.waited, cost) + last;
        }
        let late = cost.waited.saturating_sub(Duration::from_millis(end));
        prop_assert!(late <= Duration::from_millis(21), "{late:?} too late");
    }
}
