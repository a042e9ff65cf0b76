//! What the environment names is taken over if it is what it should be, and left alone or refused otherwise.

use crate::heir::{HEIR, Heir, is_answered};
use lastack_graceful::handover::Listeners;
use lastack_lab::handover::SERVER;
use lastack_lab::namespace::Namespace;
use lastack_lab::states::wait_until;
use lastack_model::facts::Transport;
use lastack_model::ids::Port;
use lastack_os::sock_diag::{Filter, States, fold};
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::process::Command;

fn said(script: &str) -> Vec<String> {
    let listener = TcpListener::bind(SERVER).expect("a listener");
    Heir::passed(&listener, script).rest()
}

#[test]
fn what_systemd_socket_activate_passes_is_served() {
    let _namespace = Namespace::enter();
    let mut command = Command::new("systemd-socket-activate");
    command.args(["-l", &SERVER.to_string(), "--fdname=http", HEIR, "env", "http"]);
    let heir = Heir::spawn(&mut command);
    wait_until("systemd-socket-activate listens", || {
        let filter =
            Filter::on_port(Transport::Tcp, Port(SERVER.port())).in_states(States::LISTENING);
        fold(&filter, |count: &mut u32, _| *count += 1).expect("the listeners").folded > 0
    });
    // It starts the server for the first connection, which the server then finds in the queue.
    assert!(is_answered());
    let mut heir = heir.serving();
    assert!(is_answered());
    assert!(heir.end().success());
}

#[test]
fn names_and_numbers_are_kept_and_what_is_no_listener_is_left_alone() {
    let _namespace = Namespace::enter();
    let script = "export LISTEN_PID=$$ LISTEN_FDS=4 LISTEN_FDNAMES=web:log:web:
                  exec \"$HEIR\" list 3<&2 4</dev/null 5<&2 6<&2 2>/dev/null";
    let expected = [
        "web 127.0.0.1:8080",
        "web 127.0.0.1:8080",
        " 127.0.0.1:8080",
        "other 4 log: it is no socket",
    ];
    assert_eq!(said(script), expected);
}

#[test]
fn what_is_meant_for_another_process_is_not_touched() {
    let _namespace = Namespace::enter();
    let of_another_pid = "export LISTEN_PID=1 LISTEN_FDS=1; exec \"$HEIR\" list 3<&2 2>/dev/null";
    assert_eq!(said(of_another_pid), [""; 0]);
    let of_an_earlier = "export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_PIDFDID=1
                         exec \"$HEIR\" list 3<&2 2>/dev/null";
    let listed = said(of_an_earlier);
    match lastack_os::process::own_pidfd_id() {
        Some(_) => assert_eq!(listed, [""; 0]),
        // Without numbers of processes there is nothing to compare (Linux before 6.9).
        None => assert_eq!(listed, ["unknown 127.0.0.1:8080"]),
    }
}

#[test]
fn numbers_that_are_not_open_and_counts_that_lie_take_nothing_over() {
    let _namespace = Namespace::enter();
    for (variables, word) in [
        ("LISTEN_PID=$$ LISTEN_FDS=60000", "descriptor 4"),
        ("LISTEN_PID=$$ LISTEN_FDS=2147483647", "LISTEN_FDS"),
        ("LISTEN_PID=$$ LISTEN_FDS=-1", "LISTEN_FDS"),
        ("LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=a:b", "LISTEN_FDNAMES"),
        ("SERVER_STARTER_PORT='80=3;81=99'", "descriptor 99"),
    ] {
        let said = said(&format!("export {variables}; exec \"$HEIR\" list 3<&2 2>/dev/null"));
        let [line] = said.as_slice() else { panic!("{variables}: {said:?}") };
        assert!(line.starts_with("failed to") && line.contains(word), "{variables}: {line}");
    }
}

#[test]
fn a_standard_stream_is_never_taken_over() {
    let _namespace = Namespace::enter();
    let said = said("export SERVER_STARTER_PORT=80=2; exec \"$HEIR\" list");
    assert_eq!(said, ["other 2 80: it is one of the standard streams, which stay open"]);
}

#[test]
fn reading_twice_is_refused() {
    let _namespace = Namespace::enter();
    let script = "export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$HEIR\" twice 3<&2 2>/dev/null";
    let said = said(script);
    let [line] = said.as_slice() else { panic!("{said:?}") };
    assert!(line.contains("descriptor 3"), "{line}");
}

#[test]
fn what_this_program_opened_itself_is_never_taken_for_passed() {
    let _namespace = Namespace::enter();
    let listener = TcpListener::bind(SERVER).expect("a listener");
    let number = std::os::fd::AsRawFd::as_raw_fd(&listener);
    let error = lastack_os::listener::adopt(&[number]).expect_err("it has an owner");
    assert_eq!(error.cause().kind(), ErrorKind::ResourceBusy);
    TcpStream::connect(SERVER).expect("it still listens");
}

#[test]
fn a_child_from_which_it_is_hidden_sees_nothing() {
    let _namespace = Namespace::enter();
    let mut command = Command::new(HEIR);
    command.arg("list").env("SERVER_STARTER_PORT", "80=99");
    Listeners::hide_from(&mut command);
    assert_eq!(Heir::spawn(&mut command).rest(), [""; 0]);
}
