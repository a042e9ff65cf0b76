//! The ladder of harm, rung by rung, on plain facts.

use super::*;
use crate::bind::{Options, Request};
use crate::facts::{
    Descriptor, Facts, Inheritance, KernelVersion, Kind, LocalRoute, LocalRouteKind, Process,
    Service, ServiceKind, Socket, SocketOptions, Timer, TimerKind, Transport,
};
use crate::ids::{Cookie, Inode, Port, Uid};
use crate::state::State;
use crate::stop::Actor;
use crate::truth::Truth;
use crate::why::{Permission, Question, why};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

const PORT: Port = Port(8080);
const SERVER: u32 = 700;

fn host() -> Host {
    let local =
        LocalRoute { network: Ipv4Addr::new(127, 0, 0, 0), prefix: 8, kind: LocalRouteKind::Local };
    Host { kernel: KernelVersion::new(6, 18), routes: vec![local], ..Host::default() }
}

fn socket(state: State, number: u64) -> Socket {
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT.0));
    let mut socket = Socket::closed(Transport::Tcp, local);
    socket.state = state;
    socket.cookie = Cookie(number);
    socket.uid = Some(Uid(1000));
    socket.v6only = Truth::No;
    let no = Truth::No;
    socket.options = SocketOptions { reuse_address: no, reuse_port: no, v6only: no };
    if !matches!(state, State::Listen | State::Closed) {
        socket.remote = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 50_000 + number as u16)));
    }
    socket
}

fn held(state: State, number: u64) -> Socket {
    Socket { inode: Some(Inode(number)), ..socket(state, number) }
}

fn minisock(state: State, remaining_ms: u32) -> Socket {
    let timer = Timer { kind: TimerKind::TimeWait, remaining_ms, retransmits: 0 };
    Socket { kind: Kind::Minisock, uid: None, timer, ..socket(state, 90 + state as u64) }
}

fn process(pid: u32) -> Process {
    let command = vec!["server".to_owned(), "--port".to_owned()];
    Process {
        pid: Pid(pid),
        name: "server".into(),
        uid: Uid(1000),
        start_ticks: 7,
        command,
        ..Process::default()
    }
}

fn holder(inode: u64, process: Process) -> Holder {
    Holder {
        inode: Inode(inode),
        process,
        descriptor: Descriptor::Open { number: 3, close_on_exec: true },
        inheritance: Inheritance::NotSeen,
    }
}

/// What stands in the way of a bind of 127.0.0.1:8080.
fn explained(sockets: Vec<Socket>, holders: Vec<Holder>) -> Explanation {
    let mut facts = Facts { host: host(), holders, ..Facts::default() };
    facts.holders_sought = sockets.iter().filter_map(|socket| socket.inode).collect();
    for socket in sockets {
        facts.sockets.add(socket);
    }
    let request = Request {
        transport: Transport::Tcp,
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        port: PORT,
        options: Options::default(),
        uid: Uid(1000),
        may_bind_reserved: false,
    };
    let question = Question {
        asked: "127.0.0.1:8080".into(),
        requests: vec![request],
        trial: Permission::Forbidden,
        elsewhere: Permission::Forbidden,
    };
    why(&question, &facts).expect("an explanation")
}

fn root() -> Terms {
    let actor = Actor { may_destroy: true, may_signal_anyone: true, ..Actor::default() };
    Terms { around: Around { actor, ..Around::default() }, ..Terms::default() }
}

fn ordinary(uid: u32) -> Terms {
    let actor = Actor { uid: Uid(uid), ..Actor::default() };
    Terms { around: Around { actor, ..Around::default() }, ..Terms::default() }
}

fn acts(plan: &Plan) -> Vec<&'static str> {
    plan.steps
        .iter()
        .map(|step| match &step.act {
            Act::Wait { .. } => "wait",
            Act::Destroy { .. } => "destroy",
            Act::Disconnect { .. } => "disconnect",
            Act::Stop(_) => "stop",
        })
        .collect()
}

fn planned(explanation: &Explanation, terms: &Terms) -> Plan {
    plan(explanation, &host(), terms)
}

#[test]
fn a_time_wait_is_destroyed_by_root_and_waited_for_with_patience() {
    let explanation = explained(vec![minisock(State::TimeWait, 20_000)], Vec::new());
    let at_once = planned(&explanation, &root());
    assert_eq!(acts(&at_once), ["destroy"]);
    assert_eq!(
        (at_once.steps[0].harm, at_once.steps[0].consent()),
        (Harm::Remains, Consent::StopsNobody)
    );
    let patient = planned(&explanation, &Terms { patience_ms: 20_000, ..root() });
    assert_eq!(acts(&patient), ["wait"]);
    let hasty = planned(&explanation, &Terms { patience_ms: 19_999, ..root() });
    assert_eq!(acts(&hasty), ["destroy"]);
}

#[test]
fn an_ordinary_user_may_not_destroy_and_is_told_so() {
    let explanation = explained(vec![minisock(State::TimeWait, 20_000)], Vec::new());
    let plan = planned(&explanation, &ordinary(1000));
    assert_eq!(plan.obstacles, [Obstacle::MayNotDestroy { conflicts: vec![0] }]);
    assert!(plan.steps.is_empty());
}

#[test]
fn a_listener_is_stopped_and_never_destroyed() {
    let explanation = explained(vec![held(State::Listen, 1)], vec![holder(1, process(SERVER))]);
    let plan = planned(&explanation, &root());
    assert_eq!(acts(&plan), ["stop"]);
    assert_eq!(plan.steps[0].consent(), Consent::StopsOwner);
}

#[test]
fn the_connections_of_a_program_that_must_end_anyway_need_no_act_of_their_own() {
    let sockets =
        vec![held(State::Listen, 1), held(State::Established, 2), minisock(State::TimeWait, 9_000)];
    let holders = vec![holder(1, process(SERVER)), holder(2, process(SERVER))];
    let plan = planned(&explained(sockets, holders), &root());
    assert_eq!(acts(&plan), ["stop", "destroy"]);
    assert_eq!(plan.steps[0].conflicts.len(), 2);
    assert_eq!(plan.aftermath, Some(Aftermath { connections: 1, may_destroy: true }));
}

#[test]
fn a_leaked_connection_is_destroyed_and_its_program_lives() {
    let explanation = explained(vec![held(State::CloseWait, 1)], vec![holder(1, process(SERVER))]);
    assert_eq!(acts(&planned(&explanation, &root())), ["destroy"]);
}

#[test]
fn without_the_right_to_destroy_a_connection_is_ended_through_its_holder() {
    let explanation = explained(vec![held(State::CloseWait, 1)], vec![holder(1, process(SERVER))]);
    let own = planned(&explanation, &ordinary(1000));
    assert_eq!(acts(&own), ["disconnect"]);
    assert_eq!(own.steps[0].consent(), Consent::StopsNobody);
    let close = Terms { reach: Reach::Sockets, ..ordinary(1000) };
    assert_eq!(acts(&planned(&explanation, &close)), ["disconnect"]);
    let anothers = planned(&explanation, &ordinary(2000));
    assert_eq!(anothers.obstacles.len(), 2, "neither destroyed nor stopped: {anothers:?}");
}

#[test]
fn a_connection_whose_port_was_named_is_not_destroyed_in_vain() {
    let explanation = explained(vec![held(State::CloseWait, 1)], vec![holder(1, process(SERVER))]);
    let terms = Terms { port_named: vec![Inode(1)], ..root() };
    assert_eq!(acts(&planned(&explanation, &terms)), ["stop"]);
    let other = Terms { port_named: vec![Inode(2)], ..root() };
    assert_eq!(acts(&planned(&explanation, &other)), ["destroy"]);
}

#[test]
fn where_its_holder_cannot_be_traced_the_program_is_stopped_instead() {
    let explanation = explained(vec![held(State::CloseWait, 1)], vec![holder(1, process(SERVER))]);
    let terms = Terms { taken: vec![Taken::NotTraced], ..ordinary(1000) };
    assert_eq!(acts(&planned(&explanation, &terms)), ["stop"]);
    let close = Terms { reach: Reach::Sockets, ..terms };
    assert_eq!(planned(&explanation, &close).obstacles.len(), 1, "close stops nobody");
}

#[test]
fn each_kind_of_remains_is_a_step_of_its_own_the_gentlest_first() {
    let sockets = vec![
        held(State::CloseWait, 1),
        minisock(State::FinWait2, 9_000),
        minisock(State::TimeWait, 9_000),
    ];
    let plan = planned(&explained(sockets, vec![holder(1, process(SERVER))]), &root());
    let roles: Vec<Role> = plan
        .steps
        .iter()
        .filter_map(|step| match step.act {
            Act::Destroy { role, .. } => Some(role),
            Act::Wait { .. } | Act::Disconnect { .. } | Act::Stop(_) => None,
        })
        .collect();
    assert_eq!(roles, [Role::TimeWait, Role::OrphanFinWait2, Role::CloseWait]);
}

#[test]
fn another_users_program_is_an_obstacle_and_nothing_else_is_touched_then() {
    let sockets = vec![held(State::Listen, 1), minisock(State::TimeWait, 9_000)];
    let explanation = explained(sockets, vec![holder(1, process(SERVER))]);
    let mut terms = ordinary(2000);
    terms.around.actor.may_destroy = true;
    let plan = planned(&explanation, &terms);
    assert_eq!(plan.obstacles, [Obstacle::MayNotSignal(Box::new(process(SERVER)))]);
    assert!(plan.steps.is_empty());
}

#[test]
fn a_listener_whose_holder_is_unseen_cannot_be_freed() {
    let explanation = explained(vec![held(State::Listen, 1)], Vec::new());
    let plan = planned(&explanation, &root());
    let whereabouts = Whereabouts::OutOfSight;
    assert_eq!(plan.obstacles, [Obstacle::HolderUnseen { conflicts: vec![0], whereabouts }]);
}

#[test]
fn the_user_of_an_unseen_holder_is_named_to_those_who_may_not_look() {
    let explanation = explained(vec![held(State::Listen, 1)], Vec::new());
    let plan = planned(&explanation, &ordinary(2000));
    let whereabouts = Whereabouts::OtherUser(Uid(1000));
    assert_eq!(plan.obstacles, [Obstacle::HolderUnseen { conflicts: vec![0], whereabouts }]);
    let own = planned(&explanation, &ordinary(1000));
    let whereabouts = Whereabouts::OutOfSight;
    assert_eq!(own.obstacles, [Obstacle::HolderUnseen { conflicts: vec![0], whereabouts }]);
}

#[test]
fn all_holders_are_stopped_or_none() {
    let mine = process(SERVER);
    let theirs = Process { pid: Pid(701), uid: Uid(2000), ..process(SERVER) };
    let holders = vec![holder(1, mine), holder(1, theirs.clone())];
    let explanation = explained(vec![held(State::Listen, 1)], holders);
    let plan = planned(&explanation, &ordinary(1000));
    assert_eq!(plan.obstacles, [Obstacle::MayNotSignal(Box::new(theirs))]);
}

#[test]
fn a_guard_refuses_what_it_does_not_name() {
    let explanation = explained(vec![held(State::Listen, 1)], vec![holder(1, process(SERVER))]);
    let with = |guard: Guard| planned(&explanation, &Terms { guard, ..root() });
    let command = |text: &str| Guard { command: Some(text.into()), ..Guard::default() };
    assert!(with(command("server --port")).obstacles.is_empty());
    assert!(matches!(
        with(command("nginx")).obstacles[..],
        [Obstacle::Refused(Refusal::OtherCommand { .. })]
    ));
    let own = with(Guard { own_only: OwnOnly::Yes, ..Guard::default() });
    assert!(matches!(own.obstacles[..], [Obstacle::Refused(Refusal::NotMine(_))]));
    let unit = with(Guard { unit: Some("web".into()), ..Guard::default() });
    assert!(matches!(unit.obstacles[..], [Obstacle::Refused(Refusal::OtherUnit { .. })]));
}

#[test]
fn a_unit_is_named_with_or_without_its_ending() {
    let service = Service { kind: ServiceKind::SystemUnit, name: "web.service".into() };
    let of_unit = Process { service: Some(service), ..process(SERVER) };
    let explanation = explained(vec![held(State::Listen, 1)], vec![holder(1, of_unit)]);
    for name in ["web", "web.service"] {
        let guard = Guard { unit: Some(name.into()), ..Guard::default() };
        let plan = planned(&explanation, &Terms { guard, ..root() });
        assert_eq!(plan.obstacles, [], "{name}");
    }
}

#[test]
fn without_patience_nothing_is_waited_for_though_its_timer_has_run_out() {
    let waits = explained(vec![minisock(State::TimeWait, 0)], Vec::new());
    let step = &planned(&waits, &root()).steps[0];
    assert!(matches!(step.act, Act::Destroy { role: Role::TimeWait, .. }), "{step:?}");
}

#[test]
fn a_guard_refuses_what_somebody_unseen_holds_and_not_what_is_nobodys() {
    let guard = Guard { command: Some("server".into()), ..Guard::default() };
    let terms = Terms { guard, ..root() };
    let held = explained(vec![held(State::Established, 1)], Vec::new());
    assert!(matches!(
        planned(&held, &terms).obstacles[..],
        [Obstacle::Refused(Refusal::HolderUnseen { .. })]
    ));
    let waits = explained(vec![minisock(State::TimeWait, 9_000)], Vec::new());
    assert_eq!(planned(&waits, &terms).obstacles, []);
}

#[test]
fn a_program_that_came_after_the_plan_was_shown_is_not_stopped() {
    let before = explained(vec![held(State::Listen, 1)], vec![holder(1, process(SERVER))]);
    let mut terms = root();
    terms.show(&before);
    let reborn = Process { start_ticks: 8, ..process(SERVER) };
    let after = explained(vec![held(State::Listen, 2)], vec![holder(2, reborn.clone())]);
    assert_eq!(planned(&after, &terms).obstacles, [Obstacle::Newcomer(Box::new(reborn))]);
}

#[test]
fn connections_of_a_program_that_came_after_the_plan_was_shown_are_not_ended() {
    let before = explained(vec![minisock(State::TimeWait, 9_000)], Vec::new());
    let mut terms = root();
    terms.show(&before);
    let newcomer = process(SERVER);
    let after = explained(vec![held(State::Established, 2)], vec![holder(2, newcomer.clone())]);
    assert_eq!(planned(&after, &terms).obstacles, [Obstacle::Newcomer(Box::new(newcomer))]);
}

#[test]
fn what_runs_on_is_not_told_to_end_for_ever_also_when_its_fellow_holder_has_gone() {
    let explanation = explained(vec![held(State::Listen, 1)], vec![holder(1, process(SERVER))]);
    let taken = vec![Taken::RunOn(vec![Pid(699), Pid(SERVER)])];
    let plan = planned(&explanation, &Terms { taken, ..root() });
    assert_eq!(plan.obstacles, [Obstacle::RunsOn(Box::new(process(SERVER)))]);
}

#[test]
fn what_was_destroyed_in_vain_is_not_destroyed_for_ever() {
    let waits = explained(vec![minisock(State::TimeWait, 9_000)], Vec::new());
    let taken = vec![Taken::Destroyed(Role::TimeWait); 4];
    let plan = planned(&waits, &Terms { taken, ..root() });
    assert_eq!(plan.obstacles, [Obstacle::InVain { conflicts: vec![0] }]);
}

#[test]
fn a_refusal_without_a_socket_has_no_remedy_in_ending_one() {
    let mut explanation = explained(Vec::new(), Vec::new());
    explanation.verdict = Verdict::Refused;
    assert_eq!(planned(&explanation, &root()).obstacles, [Obstacle::NoSocketToBlame]);
}

#[test]
fn what_is_free_needs_nothing() {
    let explanation = explained(Vec::new(), Vec::new());
    assert!(planned(&explanation, &root()).is_empty());
}
