//! The cases of a busy port as plain facts, and what must be said of each.

use super::*;
use crate::bind::{self, Options, Ruling};
use crate::errno::Errno;
use crate::facts::{
    Descriptor, Host, Inheritance, Interface6Address, KernelVersion, Kind, LocalRoute,
    LocalRouteKind, Process, Scope, Socket, SocketOptions, Timer, TimerKind, Trial, TrialOutcome,
};
use crate::ids::{Cookie, InterfaceIndex, Pid, Uid};
use crate::lifetime::Lifetime;
use crate::state::State;
use crate::truth::Truth;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const PORT: Port = Port(8080);

fn host() -> Host {
    let local =
        LocalRoute { network: Ipv4Addr::new(127, 0, 0, 0), prefix: 8, kind: LocalRouteKind::Local };
    let loopback = Interface6Address {
        address: Ipv6Addr::LOCALHOST,
        interface: InterfaceIndex(1),
        scope: Scope::Host,
        tentative: false,
    };
    Host {
        kernel: KernelVersion::new(6, 18),
        ipv6: true,
        addresses: vec![loopback],
        routes: vec![local],
        ..Host::default()
    }
}

fn request(address: &str, options: Options) -> Request {
    Request {
        transport: Transport::Tcp,
        address: address.parse().expect("an address"),
        port: PORT,
        options,
        uid: Uid(1000),
        may_bind_reserved: false,
    }
}

fn question(addresses: &[&str]) -> Question {
    Question {
        asked: "8080".into(),
        requests: addresses.iter().map(|a| request(a, Options::default())).collect(),
        trial: Permission::Allowed,
        elsewhere: Permission::Allowed,
    }
}

fn socket(local: &str, state: State) -> Socket {
    let local: SocketAddr = local.parse().expect("an address");
    let number = local.ip().to_string().bytes().map(u64::from).sum::<u64>() + state as u64 * 1000;
    let mut socket = Socket::closed(Transport::Tcp, local);
    socket.state = state;
    socket.uid = Some(Uid(1000));
    socket.inode = Some(Inode(number));
    socket.cookie = Cookie(number);
    if !matches!(state, State::Listen | State::Closed) {
        socket.remote = Some("127.0.0.1:40000".parse().expect("an address"));
    }
    socket
}

fn minisock(local: &str, state: State, remaining_ms: u32) -> Socket {
    Socket {
        kind: Kind::Minisock,
        timer: Timer { kind: TimerKind::TimeWait, remaining_ms, retransmits: 0 },
        uid: None,
        inode: None,
        ..socket(local, state)
    }
}

fn facts(sockets: impl IntoIterator<Item = Socket>) -> Facts {
    let mut facts = Facts { host: host(), ..Facts::default() };
    sockets.into_iter().for_each(|socket| facts.sockets.add(socket));
    facts
}

fn holder(inode: Inode, pid: u32) -> crate::facts::Holder {
    crate::facts::Holder {
        inode,
        process: Process { pid: Pid(pid), name: "server".into(), ..Process::default() },
        descriptor: Descriptor::Open { number: 3, close_on_exec: true },
        inheritance: Inheritance::NotSeen,
    }
}

/// Answers every need: holders as given, trials by `trial`, nothing elsewhere.
fn explain(
    question: &Question,
    mut facts: Facts,
    trial: impl Fn(&Request) -> TrialOutcome,
) -> (Explanation, Vec<Need>) {
    let mut needs = Vec::new();
    loop {
        let need = match why(question, &facts) {
            Ok(explanation) => return (explanation, needs),
            Err(need) => need,
        };
        assert!(!needs.contains(&need), "{need:?} was met and is asked for again");
        match &need {
            Need::Holders(inodes) => facts.holders_sought.extend(inodes),
            Need::Trial(request) => {
                let outcome = trial(request);
                facts.trials.push(Trial { request: request.clone(), outcome });
            }
            Need::Elsewhere(transport, port) => facts.elsewhere_sought.push((*transport, *port)),
        }
        needs.push(need);
    }
}

fn no_trial(request: &Request) -> TrialOutcome {
    panic!("no trial is needed, yet {request:?} was asked for")
}

fn refused(_: &Request) -> TrialOutcome {
    TrialOutcome::Refused(Errno::AddressInUse)
}

#[test]
fn a_listener_on_the_wildcard_stands_against_a_specific_address_and_only_stopping_it_helps() {
    let listener = socket("0.0.0.0:8080", State::Listen);
    let inode = listener.inode.expect("an inode");
    let mut facts = facts([listener]);
    facts.holders = vec![holder(inode, 4711)];
    let (explanation, _) = explain(&question(&["127.0.0.1"]), facts, no_trial);
    assert_eq!(explanation.verdict, Verdict::InUse);
    let [conflict] = explanation.conflicts.as_slice() else { panic!("{explanation:#?}") };
    assert_eq!((conflict.role, conflict.lifetime), (Role::Listener, Lifetime::WhileHeld));
    assert_eq!(conflict.holders[0].process.pid, Pid(4711));
    let stop = Step::Stop { conflicts: vec![0] };
    assert!(explanation.remedies.iter().any(|remedy| remedy.steps == [stop.clone()]));
    assert!(explanation.futile.contains(&Futile::ReuseAddressBesideListener));
    assert!(explanation.futile.contains(&Futile::DestroyListener));
}

#[test]
fn two_time_waits_are_one_remedy_and_nobody_is_to_be_killed() {
    let waits = [
        minisock("127.0.0.1:8080", State::TimeWait, 43_000),
        minisock("127.0.0.2:8080", State::TimeWait, 12_000),
    ];
    let (explanation, needs) = explain(&question(&["0.0.0.0"]), facts(waits), refused);
    assert_eq!(needs.iter().filter(|need| matches!(need, Need::Trial(_))).count(), 1);
    let wait = Step::Wait { conflicts: vec![0, 1], least_ms: 43_000, most_ms: 46_000 };
    assert_eq!(explanation.remedies[0].steps, [wait]);
    assert_eq!(explanation.remedies[1].steps, [Step::Destroy { conflicts: vec![0, 1] }]);
    assert_eq!(explanation.remedies[1].harm, Harm::Remains);
    assert!(explanation.futile.contains(&Futile::KillNobodyHoldsIt));
    assert!(explanation.futile.contains(&Futile::ReuseAddressTried));
}

#[test]
fn reuse_address_is_advised_once_a_trial_with_it_succeeded() {
    let wait = minisock("127.0.0.1:8080", State::TimeWait, 43_000);
    let (explanation, _) = explain(&question(&["0.0.0.0"]), facts([wait]), |request| {
        assert!(request.options.reuse_address && !request.options.reuse_port);
        TrialOutcome::Bound
    });
    let set = Step::SetOptions(OptionChange { reuse_address: true, ..OptionChange::default() });
    assert_eq!(explanation.remedies[0].steps, [set]);
    assert_eq!(explanation.remedies[0].certainty, Certainty::Tried);
}

#[test]
fn without_a_trial_the_answer_says_what_it_depends_on() {
    let wait = minisock("127.0.0.1:8080", State::TimeWait, 43_000);
    let mut question = question(&["0.0.0.0"]);
    question.trial = Permission::Forbidden;
    question.requests[0].options.reuse_address = true;
    let (explanation, _) = explain(&question, facts([wait]), no_trial);
    assert_eq!(explanation.verdict, Verdict::Undecided);
    let Outcome::DependsOn(hidden) = &explanation.judgements[0].outcome else { panic!() };
    assert_eq!(hidden, &[bind::Hidden::OldReuseAddress]);
}

#[test]
fn an_orphan_in_fin_wait_2_may_last_a_minute_longer_if_its_peer_closes() {
    let orphan = minisock("127.0.0.1:8080", State::FinWait2, 59_000);
    let (explanation, _) = explain(&question(&["0.0.0.0"]), facts([orphan]), refused);
    let conflict = &explanation.conflicts[0];
    assert_eq!(conflict.role, Role::OrphanFinWait2);
    let Lifetime::Ends(span) = conflict.lifetime else { panic!("{:?}", conflict.lifetime) };
    assert_eq!((span.least_ms, span.most_ms), (59_000, 122_000));
    assert!(explanation.futile.contains(&Futile::KillRemoteEnd));
}

#[test]
fn a_v6only_listener_leaves_ipv4_free_so_a_bare_port_is_bound_in_part() {
    let mut listener = socket("[::]:8080", State::Listen);
    listener.v6only = Truth::Yes;
    let (explanation, _) = explain(&question(&["0.0.0.0", "::"]), facts([listener]), no_trial);
    assert_eq!(explanation.verdict, Verdict::Partly);
    assert_eq!(explanation.judgements[0].outcome, Outcome::Succeeds);
    assert_eq!(explanation.judgements[1].errno(), Some(Errno::AddressInUse));
}

#[test]
fn a_reserved_port_is_refused_and_nobody_is_blamed() {
    let mut question = question(&["0.0.0.0"]);
    question.requests[0].port = Port(80);
    let (explanation, _) = explain(&question, facts([]), no_trial);
    assert_eq!(explanation.verdict, Verdict::Refused);
    assert_eq!(explanation.judgements[0].errno(), Some(Errno::AccessDenied));
    assert_eq!(explanation.remedies[0].steps, [Step::GainPrivilege]);
    assert_eq!(explanation.futile, [Futile::NobodyToStop]);
}

#[test]
fn reuse_port_of_another_user_is_no_way_in_not_even_for_root() {
    let mut listener = socket("0.0.0.0:8080", State::Listen);
    listener.options.reuse_port = Truth::Yes;
    listener.uid = Some(Uid(1001));
    let mut question = question(&["0.0.0.0"]);
    question.requests[0].uid = Uid(0);
    let (explanation, _) = explain(&question, facts([listener]), no_trial);
    assert!(explanation.futile.contains(&Futile::ReusePortOtherUser));
}

#[test]
fn a_leak_is_told_from_a_listener_and_from_a_dead_socket() {
    let leak = socket("127.0.0.1:8080", State::CloseWait);
    let mut dead = socket("127.0.0.2:8080", State::Closed);
    dead.remote = leak.remote;
    let bound = socket("127.0.0.3:8080", State::Closed);
    let (explanation, _) = explain(&question(&["0.0.0.0"]), facts([leak, dead, bound]), refused);
    let roles: Vec<Role> = explanation.conflicts.iter().map(|conflict| conflict.role).collect();
    assert_eq!(roles, [Role::BoundOnly, Role::Dead, Role::CloseWait]);
}

#[test]
fn a_restart_with_reuse_address_needs_only_the_listener_stopped_if_its_connections_had_it() {
    let with_option = |socket: Socket| {
        let options = SocketOptions { reuse_address: Truth::Yes, ..socket.options };
        Socket { options, ..socket }
    };
    let sockets = [
        with_option(socket("0.0.0.0:8080", State::Listen)),
        with_option(socket("127.0.0.1:8080", State::Established)),
        minisock("127.0.0.1:8080", State::TimeWait, 43_000),
    ];
    let mut question = question(&["0.0.0.0"]);
    question.requests[0].options.reuse_address = true;
    let (explanation, _) = explain(&question, facts(sockets), no_trial);
    let roles: Vec<Role> = explanation.conflicts.iter().map(|conflict| conflict.role).collect();
    assert_eq!(roles, [Role::Listener, Role::TimeWait], "the connection shares the port");
    let stop = Step::Stop { conflicts: vec![0] };
    let hopeful = explanation.remedies.iter().find(|remedy| remedy.steps == [stop.clone()]);
    let hidden = vec![bind::Hidden::OldReuseAddress];
    assert_eq!(hopeful.map(|remedy| &remedy.certainty), Some(&Certainty::DependsOn(hidden)));
    let wait = Step::Wait { conflicts: vec![1], least_ms: 43_000, most_ms: 46_000 };
    assert!(explanation.remedies.iter().any(|remedy| remedy.steps == [stop.clone(), wait.clone()]));
}

#[test]
fn stopping_a_program_leaves_its_connections_to_close() {
    let sockets =
        [socket("0.0.0.0:8080", State::Listen), socket("127.0.0.1:8080", State::Established)];
    let (explanation, _) = explain(&question(&["0.0.0.0"]), facts(sockets), refused);
    let stop = Step::Stop { conflicts: vec![0, 1] };
    let wait = Step::Wait { conflicts: vec![1], least_ms: 0, most_ms: 123_000 };
    assert!(explanation.remedies.iter().any(|remedy| remedy.steps == [stop.clone(), wait.clone()]));
    assert!(explanation.futile.contains(&Futile::KillLeavesConnections));
}

#[test]
fn a_free_port_says_what_could_still_refuse() {
    let (explanation, needs) = explain(&question(&["0.0.0.0", "::"]), facts([]), no_trial);
    assert_eq!(explanation.verdict, Verdict::Free);
    assert_eq!(explanation.cautions, [Caution::SecurityModulesInvisible]);
    assert_eq!(needs, [Need::Elsewhere(Transport::Tcp, PORT)]);
}

#[test]
fn whoever_shares_by_reuse_address_is_warned_that_the_first_to_listen_wins() {
    let mut bound = socket("0.0.0.0:8080", State::Closed);
    bound.options.reuse_address = Truth::Yes;
    let mut question = question(&["0.0.0.0"]);
    question.requests[0].options.reuse_address = true;
    let (explanation, _) = explain(&question, facts([bound]), no_trial);
    assert_eq!(explanation.verdict, Verdict::Free);
    assert!(explanation.cautions.contains(&Caution::FirstToListenWins));
}

fn any_truth() -> impl Strategy<Value = Truth> {
    prop_oneof![Just(Truth::No), Just(Truth::Unknown), Just(Truth::Yes)]
}

fn any_address() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        "0.0.0.0",
        "127.0.0.1",
        "127.0.0.2",
        "::",
        "::1",
        "::ffff:0.0.0.0",
        "::ffff:127.0.0.1",
    ])
}

prop_compose! {
    fn any_socket()(
        address in any_address(),
        state in proptest::sample::select(State::ALL.to_vec()),
        flags in (any_truth(), any_truth(), any_truth()),
        uid in 1000_u32..1002,
        number in 1_u64..u64::MAX,
    ) -> Socket {
        let ip: IpAddr = address.parse().expect("an address");
        let local = SocketAddr::new(ip, PORT.0).to_string();
        let base = match state {
            State::TimeWait => minisock(&local, state, 40_000),
            _ => Socket { uid: Some(Uid(uid)), ..socket(&local, state) },
        };
        Socket {
            options: SocketOptions { reuse_address: flags.0, reuse_port: flags.1, v6only: Truth::Unknown },
            v6only: if state == State::Listen { flags.2 } else { Truth::Unknown },
            cookie: Cookie(number),
            ..base
        }
    }
}

prop_compose! {
    fn any_options()(reuse_address in any::<bool>(), reuse_port in any::<bool>()) -> Options {
        Options { reuse_address, reuse_port, ..Options::default() }
    }
}

proptest! {
    #[test]
    fn every_question_is_answered_and_every_certain_remedy_frees_the_address(
        sockets in proptest::collection::vec(any_socket(), 0..5),
        address in any_address(),
        options in any_options(),
    ) {
        let mut question = question(&[]);
        question.requests = vec![request(address, options)];
        let (explanation, _) = explain(&question, facts(sockets.clone()), |_| {
            TrialOutcome::NotTried("a pure test".into())
        });
        for remedy in &explanation.remedies {
            if remedy.certainty != Certainty::Certain {
                continue;
            }
            let (request, left) = after(remedy, &question.requests[0], &explanation, &sockets);
            let left: Vec<&Socket> = left.iter().collect();
            let rules = Rules::of(explanation.kernel);
            let ruling = bind::bind(&request, &left, &host(), rules);
            prop_assert_eq!(ruling, Ruling::Free, "{:?}", remedy);
        }
    }
}

/// The request and the sockets that are left when a remedy has been taken.
fn after(
    remedy: &Remedy,
    request: &Request,
    explanation: &Explanation,
    sockets: &[Socket],
) -> (Request, Vec<Socket>) {
    let mut request = request.clone();
    let mut ended = facts([]).sockets;
    for step in &remedy.steps {
        match step {
            Step::SetOptions(change) => request = change.apply(&request).expect("a change"),
            Step::UseAddress(address) => request.address = *address,
            Step::Wait { conflicts, .. }
            | Step::Destroy { conflicts }
            | Step::Stop { conflicts } => {
                for at in conflicts {
                    ended.add(explanation.conflicts[*at].sockets.example.clone());
                }
            }
            Step::NameInterface | Step::GainPrivilege | Step::MakeAddressLocal { .. } => {}
        }
    }
    let is_ended = |socket: &Socket| {
        ended.groups().iter().any(|group| group.example.likeness() == socket.likeness())
    };
    (request, sockets.iter().filter(|socket| !is_ended(socket)).cloned().collect())
}
