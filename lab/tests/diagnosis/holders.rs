//! Who is named when a socket went through several hands, or is in none that can be seen.

use crate::answer::{LOCAL, fresh_port, me, request, why};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::{Process, lastack_apart};
use lastack_lab::states::{self, wait_until};
use lastack_model::state::State;
use rustix::fd::{AsFd, OwnedFd};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::io::{BufRead, BufReader, IoSlice};
use std::mem::MaybeUninit;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

/// Starts a shell that holds this socket, its children too, and reads so many pids from it.
fn shell(script: &str, socket: OwnedFd, pids: usize) -> (Process, Vec<u32>) {
    let script = format!("exec 3<&0 </dev/null; {script}");
    let mut command = Command::new("sh");
    let mut shell =
        Process::start(command.args(["-c", &script]).stdin(socket).stdout(Stdio::piped()));
    let output = BufReader::new(shell.child().stdout.take().expect("a pipe"));
    let lines = output.lines().take(pids).map(|line| line.expect("a line"));
    let pids = lines.map(|line| line.parse().expect("a pid")).collect();
    (shell, pids)
}

/// Ends a process that is not our own child.
struct Ended(u32);

impl Drop for Ended {
    fn drop(&mut self) {
        let pid = i32::try_from(self.0).ok().and_then(rustix::process::Pid::from_raw);
        let pid = pid.expect("a pid");
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

#[test]
fn a_listener_in_another_network_namespace_is_not_in_the_way_but_mentioned() {
    let port = fresh_port();
    Namespace::enter();
    let theirs = states::listening(&request(LOCAL, port));
    let resident = Process::start(Command::new("sleep").arg("1000").stdin(theirs));
    Namespace::enter();
    let answer = why(&[&port.to_string()]);
    assert_eq!(answer.verdict(), ("free", 0));
    let elsewhere = answer.json["elsewhere"].as_array().expect("a list");
    let found = elsewhere.iter().find(|found| found["resident"]["pid"] == resident.pid());
    let socket = &found.unwrap_or_else(|| panic!("{}", answer.text))["socket"]["example"];
    assert_eq!(socket["state"], "LISTEN");
    assert!(answer.text.contains("other network namespaces"), "{}", answer.text);
    answer.assert_blames(&[]);
    let alone = why(&[&port.to_string(), "--no-other-namespaces"]);
    assert_eq!(alone.json["elsewhere"], serde_json::json!([]));
}

#[test]
fn a_child_that_inherited_the_socket_is_named_as_heir_when_its_parent_is_dead() {
    Namespace::enter();
    let port = fresh_port();
    let socket = states::listening(&request(LOCAL, port));
    let (mut parent, pids) = shell("sleep 1000 >/dev/null & echo $!", socket, 1);
    let _heir = Ended(pids[0]);
    parent.child().wait().expect("the parent ends");
    let answer = why(&[&format!("127.0.0.1:{port}")]);
    assert_eq!(answer.verdict(), ("in_use", 1));
    answer.assert_blames(&pids);
    let inheritance = &answer.conflict()["holders"][0]["inheritance"];
    assert!(inheritance.get("likely").is_some() || inheritance == "not_seen", "{inheritance}");
}

#[test]
fn an_heir_whose_process_group_has_lost_its_leader_is_told_from_an_owner() {
    Namespace::enter();
    let port = fresh_port();
    let socket = states::listening(&request(LOCAL, port));
    let script = "setsid sh -c 'sleep 1000 >/dev/null & echo $!'";
    let (mut parent, pids) = shell(script, socket, 1);
    let _heir = Ended(pids[0]);
    parent.child().wait().expect("the parent ends");
    wait_until("the leader is gone", || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pids[0])).expect("the heir");
        let session = stat.rsplit(") ").next().expect("fields").split(' ').nth(3);
        !std::path::Path::new(&format!("/proc/{}", session.expect("a session"))).exists()
    });
    let answer = why(&[&format!("127.0.0.1:{port}")]);
    answer.assert_blames(&pids);
    let inheritance = &answer.conflict()["holders"][0]["inheritance"];
    assert!(inheritance.get("likely").is_some(), "{inheritance}");
    assert!(answer.text.contains("inherited"), "{}", answer.text);
}

#[test]
fn a_parent_and_two_children_are_all_named() {
    Namespace::enter();
    let port = fresh_port();
    let socket = states::listening(&request(LOCAL, port));
    let script = "sleep 1000 >/dev/null & echo $!; sleep 1000 >/dev/null & echo $!; wait";
    let (parent, children) = shell(script, socket, 2);
    let _heirs: Vec<Ended> = children.iter().map(|pid| Ended(*pid)).collect();
    let answer = why(&[&format!("127.0.0.1:{port}")]);
    answer.assert_blames(&[&[parent.pid()], &children[..]].concat());
    assert!(answer.is_futile("kill_one_of_several"));
    let holders = answer.conflict()["holders"].as_array().expect("holders");
    let heirs: Vec<_> =
        holders.iter().filter(|h| h["inheritance"]["from_ancestor"] == parent.pid()).collect();
    assert_eq!(heirs.len(), 2, "{}", answer.text);
}

#[test]
fn a_descriptor_in_flight_blames_at_most_the_process_that_has_it_in_its_queue() {
    Namespace::enter();
    let port = fresh_port();
    let socket = states::listening(&request(LOCAL, port));
    let (ours, _theirs) = UnixStream::pair().expect("a Unix socket pair");
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = SendAncillaryBuffer::new(&mut space);
    let descriptors = [socket.as_fd()];
    assert!(message.push(SendAncillaryMessage::ScmRights(&descriptors)));
    sendmsg(&ours, &[IoSlice::new(b"x")], &mut message, SendFlags::empty()).expect("a message");
    drop(socket);
    let answer = why(&[&format!("127.0.0.1:{port}")]);
    assert_eq!(answer.verdict(), ("in_use", 1));
    assert_eq!(answer.role_and_state(), ("listener", State::Listen));
    for holder in answer.conflict()["holders"].as_array().expect("holders") {
        assert_eq!(holder["process"]["pid"], me(), "{}", answer.text);
        assert!(holder["descriptor"].get("in_flight").is_some(), "{}", answer.text);
    }
    let words = answer.text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("in flight") || words.contains("Unix socket's queue"), "{words}");
}

#[test]
fn a_holder_in_a_process_namespace_below_is_named_by_its_pid_here() {
    Namespace::enter();
    let port = fresh_port();
    let socket = states::listening(&request(LOCAL, port));
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]).args(["sleep", "1000"]);
    let outer = Process::start(command.stdin(socket));
    drop(command);
    let children = format!("/proc/{0}/task/{0}/children", outer.pid());
    let inner = || std::fs::read_to_string(&children).ok()?.trim().parse::<u32>().ok();
    wait_until("the inner process runs", || {
        inner().is_some_and(|pid| {
            std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "sleep\n")
        })
    });
    let inner = inner().expect("the inner process");
    why(&[&format!("127.0.0.1:{port}")]).assert_blames(&[outer.pid(), inner]);
}

#[test]
fn a_holder_outside_the_process_namespace_is_missed_and_that_is_said() {
    Namespace::enter();
    let port = fresh_port();
    let _listener = states::listening(&request(LOCAL, port));
    let place = format!("127.0.0.1:{port}");
    let text = lastack_apart(&["why", &place]);
    assert_eq!((text.code, text.stderr.as_str()), (Some(1), ""));
    assert!(text.stdout.contains("LISTEN"), "{}", text.stdout);
    assert!(text.stdout.contains("no visible process"), "{}", text.stdout);
    assert!(text.stdout.contains("another PID namespace"), "{}", text.stdout);
    assert!(!text.stdout.contains("as root"), "root sees no more: {}", text.stdout);
    let json = lastack_apart(&["why", "--json", &place]).json();
    assert_eq!(json["conflicts"][0]["holders"], serde_json::json!([]));
    assert_eq!(json["conflicts"][0]["sockets"]["example"]["uid"], 0);
}
