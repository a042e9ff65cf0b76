//! What holds a port, row by row: made usable with the least leave, by root and by the owner, or refused with the
//! exact reason.

use crate::bystander::Bystander;
use crate::scene::{
    ANY, Attempt, LOCAL, Leave, connection, fresh_port, holder, holder_of, nobodys, request, runs,
    words,
};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::{NOBODY, Process, User};
use lastack_lab::sockets::{self, owned_by};
use lastack_lab::states::{self, Pair, wait_for};
use lastack_model::bind::{Options, Request};
use lastack_model::facts::{Family, Transport};
use lastack_model::ids::Uid;
use lastack_model::state::State;
use rustix::net::{Shutdown, shutdown};
use std::net::{Ipv6Addr, SocketAddr};
use std::process::Command;

#[test]
fn a_listener_is_freed_by_stopping_its_program() {
    Namespace::enter();
    let port = fresh_port();
    let bystander = Bystander::on(port);
    let server = holder(states::listening(&request(LOCAL, port)));
    let place = format!("127.0.0.1:{port}");
    Attempt::on(&place).sparing(&[bystander.pid()]).frees_with(Leave::Stop);
    assert!(!runs(server.pid()));
    bystander.assert_unharmed();
}

#[test]
fn a_listener_of_ones_own_needs_no_root() {
    Namespace::enter();
    let port = fresh_port();
    let bystander = Bystander::on(port);
    let _server = holder_of(User::Nobody, states::listening(&nobodys(LOCAL, port)), None);
    let place = format!("127.0.0.1:{port}");
    Attempt::on(&place).by_nobody().frees_with(Leave::Stop);
    bystander.assert_unharmed();
}

#[test]
fn a_listener_of_another_user_refuses_and_root_is_named() {
    Namespace::enter();
    let port = fresh_port();
    let server = holder(states::listening(&request(LOCAL, port)));
    let place = format!("127.0.0.1:{port}");
    let end = Attempt::on(&place).by_nobody().sparing(&[server.pid()]).refuses();
    let said = words(&end.stdout);
    assert!(said.contains("belongs to uid 0"), "{said}");
    assert!(said.contains("root can"), "{said}");
}

#[test]
fn a_time_wait_is_freed_without_stopping_anybody() {
    Namespace::enter();
    let port = fresh_port();
    let bystander = Bystander::on(port);
    states::time_wait(connection(&request(LOCAL, port)));
    let place = format!("127.0.0.1:{port}");
    Attempt::on(&place).frees_with(Leave::Yes);
    bystander.assert_unharmed();
}

#[test]
fn a_time_wait_needs_root_or_time_and_that_is_said_to_others() {
    Namespace::enter();
    let port = fresh_port();
    states::time_wait(connection(&request(LOCAL, port)));
    let place = format!("127.0.0.1:{port}");
    let end = Attempt::on(&place).by_nobody().refuses();
    let said = words(&end.stdout);
    assert!(said.contains("TIME_WAIT needs CAP_NET_ADMIN: run as root; or wait "), "{said}");
}

#[test]
fn an_orphan_in_fin_wait_2_is_freed_and_the_remote_end_lives() {
    Namespace::enter();
    let port = fresh_port();
    let bystander = Bystander::on(port);
    let remote_end = holder(states::orphan_fin_wait_2(connection(&request(LOCAL, port))));
    let place = format!("127.0.0.1:{port}");
    Attempt::on(&place).sparing(&[remote_end.pid()]).frees_with(Leave::Yes);
    bystander.assert_unharmed();
}

#[test]
fn a_held_fin_wait_2_is_freed_and_both_ends_live() {
    Namespace::enter();
    let port = fresh_port();
    let bystander = Bystander::on(port);
    let pair = connection(&request(LOCAL, port));
    let ours = sockets::local(&pair.ours);
    shutdown(&pair.ours, Shutdown::Write).expect("a half-close");
    wait_for(port, |socket| socket.local == ours && socket.state == State::FinWait2);
    let (server, client) = (holder(pair.ours), holder(pair.peer));
    let place = format!("127.0.0.1:{port}");
    Attempt::on(&place).sparing(&[server.pid(), client.pid()]).frees_with(Leave::Yes);
    bystander.assert_unharmed();
}

/// Three connections that their client closed and their program did not.
fn leaked(listener: &Request) -> Vec<rustix::fd::OwnedFd> {
    let socket = states::listening(listener);
    let leaked = (0..3).map(|_| {
        let Pair { ours, peer } = states::established(&socket, sockets::local(&socket));
        let remote = sockets::local(&peer);
        drop(peer);
        wait_for(remote.port(), |s| s.local == remote && s.state == State::FinWait2);
        ours
    });
    leaked.collect()
}

#[test]
fn leaked_connections_are_ended_and_the_program_that_leaked_them_lives() {
    Namespace::enter();
    let port = fresh_port();
    let bystander = Bystander::on(port);
    let mut leaked = leaked(&request(LOCAL, port));
    let first = leaked.pop().expect("three");
    let programs = [holder_of(User::Root, first, leaked.pop()), holder(leaked.pop().expect("one"))];
    let place = format!("127.0.0.1:{port}");
    let innocent = [programs[0].pid(), programs[1].pid()];
    let end = Attempt::on(&place).sparing(&innocent).frees_with(Leave::Yes);
    assert!(end.stdout.contains("destroyed 3 sockets"), "{}", end.stdout);
    bystander.assert_unharmed();
}

#[test]
fn leaked_connections_of_ones_own_are_ended_without_root_and_their_program_lives() {
    Namespace::enter();
    let port = fresh_port();
    let bystander = Bystander::on(port);
    let mut leak = owned_by(Uid(NOBODY), || leaked(&nobodys(LOCAL, port)));
    leak.truncate(1);
    let leaker = holder_of(User::Nobody, leak.remove(0), None);
    let place = format!("127.0.0.1:{port}");
    let attempt = Attempt::on(&place).by_nobody();
    if one_may_trace_ones_own() {
        attempt.sparing(&[leaker.pid()]).frees_with(Leave::Yes);
    } else {
        attempt.frees_with(Leave::Stop);
        assert!(!runs(leaker.pid()));
    }
    bystander.assert_unharmed();
}

/// Whether Yama lets a process trace others of its user (`/proc/sys/kernel/yama/ptrace_scope`).
fn one_may_trace_ones_own() -> bool {
    std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope")
        .map_or(true, |scope| scope.trim() == "0")
}

#[test]
fn a_bound_socket_that_never_listened_is_freed_by_stopping_its_program() {
    Namespace::enter();
    let port = fresh_port();
    let bystander = Bystander::on(port);
    let _program = holder(states::bound(&request(LOCAL, port)));
    let place = format!("127.0.0.1:{port}");
    Attempt::on(&place).frees_with(Leave::Stop);
    bystander.assert_unharmed();
}

#[test]
fn a_wildcard_listener_is_stopped_for_one_address() {
    Namespace::enter();
    let port = fresh_port();
    let bystander = Bystander::on(fresh_port());
    let _server = holder(states::listening(&request(ANY, port)));
    let place = format!("127.0.0.1:{port}");
    Attempt::on(&place).frees_with(Leave::Stop);
    bystander.assert_unharmed();
}

#[test]
fn a_dual_stack_listener_is_stopped_for_an_ipv4_address_and_for_the_bare_port() {
    Namespace::enter();
    for place in ["127.0.0.1:", ""] {
        let port = fresh_port();
        let bystander = Bystander::on(fresh_port());
        let _server = holder(states::listening(&request(Ipv6Addr::UNSPECIFIED, port)));
        let place = format!("{place}{port}");
        Attempt::on(&place).frees_with(Leave::Stop);
        bystander.assert_unharmed();
    }
}

#[test]
fn a_listener_on_ipv6_alone_is_left_alone_unless_it_is_in_the_way() {
    Namespace::enter();
    let port = fresh_port();
    let options = Options { v6only: true, ..Options::default() };
    let listener = Request { options, ..request(Ipv6Addr::UNSPECIFIED, port) };
    let server = holder(states::listening(&listener));
    let (v4, both) = (format!("0.0.0.0:{port}"), port.to_string());
    Attempt::on(&v4).sparing(&[server.pid()]).finds_it_free();
    Attempt::on(&both).frees_with(Leave::Stop);
    assert!(!runs(server.pid()));
}

#[test]
fn root_stops_the_reuse_port_group_of_another_user() {
    Namespace::enter();
    let port = fresh_port();
    let bystander = Bystander::on(port);
    let options = Options { reuse_port: true, ..Options::default() };
    let member = Request { options, ..nobodys(LOCAL, port) };
    let group = [(); 2].map(|()| holder_of(User::Nobody, states::listening(&member), None));
    let place = format!("127.0.0.1:{port}");
    Attempt::on(&place).with(&["--reuse-port"]).frees_with(Leave::Stop);
    assert!(group.iter().all(|member| !runs(member.pid())));
    bystander.assert_unharmed();
}

#[test]
fn the_port_of_an_outgoing_connection_is_freed_and_client_and_server_live() {
    Namespace::enter();
    let listener = states::listening(&request(LOCAL, fresh_port()));
    let client = sockets::open(Transport::Tcp, Family::V4);
    sockets::connect(&client, sockets::local(&listener)).expect("a connection");
    let port = sockets::local(&client).port();
    wait_for(port, |socket| socket.state == State::Established);
    let bystander = Bystander::on(port);
    let (client, server) = (holder(client), holder(listener));
    let place = format!("127.0.0.1:{port}");
    Attempt::on(&place).sparing(&[client.pid(), server.pid()]).frees_with(Leave::Yes);
    bystander.assert_unharmed();
}

#[test]
fn a_client_that_named_its_port_is_stopped_since_ending_its_connection_would_be_in_vain() {
    Namespace::enter();
    let bystander = Bystander::on(fresh_port());
    let listener = states::listening(&request(LOCAL, fresh_port()));
    let port = fresh_port();
    let client = states::bound(&request(LOCAL, port));
    sockets::connect(&client, sockets::local(&listener)).expect("a connection");
    let (client, server) = (holder(client), holder(listener));
    let place = format!("127.0.0.1:{port}");
    Attempt::on(&place).sparing(&[server.pid()]).frees_with(Leave::Stop);
    assert!(!runs(client.pid()));
    bystander.assert_unharmed();
}

#[test]
fn a_connection_left_by_a_worker_is_ended_and_worker_and_client_live() {
    Namespace::enter();
    let port = fresh_port();
    let bystander = Bystander::on(port);
    let Pair { ours, peer } = connection(&request(LOCAL, port));
    let (worker, client) = (holder(ours), holder(peer));
    let place = format!("127.0.0.1:{port}");
    Attempt::on(&place).sparing(&[worker.pid(), client.pid()]).frees_with(Leave::Yes);
    bystander.assert_unharmed();
}

#[test]
fn a_server_stopped_without_root_may_leave_its_port_taken_and_that_is_said_before() {
    Namespace::enter();
    let port = fresh_port();
    let (listener, Pair { ours, peer }) = owned_by(Uid(NOBODY), || {
        let listener = states::listening(&nobodys(LOCAL, port));
        let pair = states::established(&listener, sockets::local(&listener));
        (listener, pair)
    });
    let server = holder_of(User::Nobody, listener, Some(ours));
    let client = holder(peer);
    let place = format!("127.0.0.1:{port}");
    let attempt = Attempt::on(&place).by_nobody();
    let plan = words(&attempt.run(&["--dry-run"]).stdout);
    assert!(plan.contains("its connection may leave FIN_WAIT_2 or TIME_WAIT behind"), "{plan}");
    let end = attempt.run(&["--yes", "--stop"]);
    assert_eq!(end.code, Some(1), "{}", end.stdout);
    assert!(!runs(server.pid()) && runs(client.pid()));
    let said = words(&end.stdout);
    assert!(said.contains("FIN_WAIT_2 needs CAP_NET_ADMIN: run as root; or wait"), "{said}");
    Attempt::on(&place).sparing(&[client.pid()]).frees_with(Leave::Yes);
}

#[test]
fn a_child_that_inherited_the_socket_is_stopped() {
    Namespace::enter();
    let port = fresh_port();
    let bystander = Bystander::on(port);
    let (mut parent, heirs) = family(port, "sleep 1000 >/dev/null & echo $!", 1);
    parent.child().wait().expect("the parent ends");
    let place = format!("127.0.0.1:{port}");
    Attempt::on(&place).frees_with(Leave::Stop);
    assert!(!runs(heirs[0]));
    bystander.assert_unharmed();
}

#[test]
fn all_of_three_holders_are_stopped_and_their_sibling_lives() {
    Namespace::enter();
    let port = fresh_port();
    let bystander = Bystander::on(port);
    let script = "sleep 1000 >/dev/null & echo $!; sleep 1000 >/dev/null & echo $!; \
                  sleep 1000 3<&- >/dev/null & echo $!; wait";
    let (parent, children) = family(port, script, 3);
    let place = format!("127.0.0.1:{port}");
    let freed = Attempt::on(&place).sparing(&[children[2]]).frees_with(Leave::Stop);
    assert_eq!(freed.stdout.matches("\n- Stop").count(), 1, "one step for all: {}", freed.stdout);
    assert!(!runs(parent.pid()) && !runs(children[0]) && !runs(children[1]));
    bystander.assert_unharmed();
    end(children[2]);
}

/// A shell that holds a listener as descriptor 3, its children too, and the pids that it prints.
fn family(port: u16, script: &str, pids: usize) -> (Process, Vec<u32>) {
    use std::io::{BufRead, BufReader};
    let script = format!("exec 3<&0 </dev/null; {script}");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).stdin(states::listening(&request(LOCAL, port)));
    let mut shell = Process::start(command.stdout(std::process::Stdio::piped()));
    let output = BufReader::new(shell.child().stdout.take().expect("a pipe"));
    let lines = output.lines().take(pids).map(|line| line.expect("a line"));
    let pids = lines.map(|line| line.parse().expect("a pid")).collect();
    (shell, pids)
}

/// Ends a process that is not our own child.
fn end(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw).expect("a pid");
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}

#[test]
fn a_udp_socket_is_stopped_for_udp_and_left_alone_for_tcp() {
    Namespace::enter();
    let port = fresh_port();
    let bystander = Bystander::on(port);
    let udp = Request { transport: Transport::Udp, ..request(LOCAL, port) };
    let program = holder(states::bound(&udp));
    let (tcp, udp) = (format!("127.0.0.1:{port}"), format!("udp/127.0.0.1:{port}"));
    Attempt::on(&tcp).sparing(&[program.pid()]).finds_it_free();
    Attempt::on(&udp).frees_with(Leave::Stop);
    assert!(!runs(program.pid()));
    bystander.assert_unharmed();
}

#[test]
fn a_descriptor_in_flight_refuses_and_its_carrier_lives() {
    use rustix::fd::AsFd;
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    use std::io::IoSlice;
    use std::mem::MaybeUninit;
    use std::os::unix::net::UnixStream;
    Namespace::enter();
    let port = fresh_port();
    let socket = states::listening(&request(LOCAL, port));
    let (here, there) = UnixStream::pair().expect("a Unix socket pair");
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = SendAncillaryBuffer::new(&mut space);
    let descriptors = [socket.as_fd()];
    assert!(message.push(SendAncillaryMessage::ScmRights(&descriptors)));
    sendmsg(&here, &[IoSlice::new(b"x")], &mut message, SendFlags::empty()).expect("a message");
    drop(socket);
    let carrier = holder_of(User::Root, here.into(), Some(there.into()));
    let place = format!("127.0.0.1:{port}");
    let end = Attempt::on(&place).sparing(&[carrier.pid()]).refuses();
    let said = words(&end.stdout);
    assert!(said.contains("in flight"), "{said}");
    assert!(said.contains(&format!("(pid {})", carrier.pid())), "{said}");
}

#[test]
fn several_kinds_of_remains_on_the_wildcard_are_freed_at_once() {
    Namespace::enter();
    let port = fresh_port();
    let listener = states::listening(&request(ANY, port));
    let to = SocketAddr::from((LOCAL, port));
    states::time_wait(states::established(&listener, to));
    let far = [
        states::orphan_fin_wait_2(states::established(&listener, to)),
        states::orphan_fin_wait_1(states::established(&listener, to)),
        states::orphan_last_ack(states::established(&listener, to)),
    ];
    let Pair { ours, peer } = states::established(&listener, to);
    drop(listener);
    let (worker, client) = (holder(ours), holder(peer));
    Attempt::on(&port.to_string()).sparing(&[worker.pid(), client.pid()]).frees_with(Leave::Yes);
    drop(far);
}
