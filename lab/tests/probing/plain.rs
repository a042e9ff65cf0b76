//! Servers of which only an address is known: what shows without a protocol, and with the first words of one.

use super::scene::{probe, server, started};
use lastack_lab::namespace::Namespace;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::process::Command;
use std::time::Duration;

#[test]
fn a_silent_port_keeps_an_idle_connection_and_lets_go_of_it() {
    let _namespace = Namespace::enter();
    let address = server(|mut stream: TcpStream| {
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let found = probe(&address.to_string(), &[]);
    found.assert_exit(0);
    assert_eq!(found.json["connections"].as_array().map(Vec::len), Some(1));
    assert_eq!(found.json["connections"][0]["observed"]["sent"], 0);
    assert_eq!(found.verdict("lets_go"), "good");
    assert!(found.says("idle").contains("without a word kept for more than"));
}

#[test]
fn a_silent_port_that_holds_on_is_at_fault() {
    let _namespace = Namespace::enter();
    let address = server(|stream: TcpStream| {
        std::thread::sleep(Duration::MAX);
        drop(stream);
    });
    let found = probe(&address.to_string(), &[]);
    found.assert_exit(1);
    assert_eq!(found.with("fault"), ["lets_go"]);
}

#[test]
fn a_server_that_closes_at_once_closes_first() {
    let _namespace = Namespace::enter();
    let found = probe(&server(drop).to_string(), &[]);
    found.assert_exit(0);
    assert!(found.says("closes_first").starts_with("the server"), "{:#}", found.json["findings"]);
}

#[test]
fn an_echo_server_answers_a_client_that_half_closes() {
    let _namespace = Namespace::enter();
    let address = server(|mut stream: TcpStream| {
        let mut copy = stream.try_clone().expect("a second handle");
        let _ = std::io::copy(&mut stream, &mut copy);
    });
    let found = probe(&address.to_string(), &["--send", r"hello\n"]);
    found.assert_exit(0);
    assert_eq!(found.verdict("half_close"), "good");
    assert!(found.says("closes_first").starts_with("the client"));
}

#[test]
fn a_server_that_takes_a_fin_for_the_end_of_everything_is_noted() {
    let _namespace = Namespace::enter();
    let address = server(|mut stream: TcpStream| {
        let mut room = [0; 64];
        let Ok(1..) = stream.read(&mut room) else { return };
        // As one does that looks whether its client is still there before it works for it.
        std::thread::sleep(Duration::from_millis(100));
        stream.set_nonblocking(true).expect("a mode");
        let is_gone = matches!(stream.peek(&mut room), Ok(0));
        stream.set_nonblocking(false).expect("a mode");
        if !is_gone {
            let _ = stream.write_all(b"welcome\n");
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
    });
    let found = probe(&address.to_string(), &["--send", r"hello\r\n"]);
    found.assert_exit(0);
    assert_eq!(found.verdict("half_close"), "noted", "{:#}", found.json["findings"]);
}

#[test]
fn a_reset_after_an_answer_is_a_fault_without_http_too() {
    let _namespace = Namespace::enter();
    let address = server(|mut stream: TcpStream| {
        let mut room = [0; 2];
        if matches!(stream.read(&mut room), Ok(1..)) {
            // The rest of the words stays unread.
            let _ = stream.write_all(b"no\n");
        }
    });
    let found = probe(&address.to_string(), &["--send", r"hello\n"]);
    found.assert_exit(1);
    assert_eq!(found.verdict("fin_or_reset"), "fault", "{:#}", found.json["findings"]);
}

#[test]
fn close_shutdown_and_the_end_of_a_program_all_lead_to_a_fin() {
    let _namespace = Namespace::enter();
    let shuts = |mut stream: TcpStream| {
        stream.shutdown(Shutdown::Write).expect("a FIN");
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    };
    let script = "import os, socket\n\
                  l = socket.create_server(('127.0.0.1', 8080))\n\
                  a, _ = l.accept()\nos._exit(0)";
    let _program = started(Command::new("python3").args(["-c", script]));
    for address in [server(drop).to_string(), server(shuts).to_string(), "8080".to_owned()] {
        let found = probe(&address, &[]);
        assert!(found.says("closes_first").starts_with("the server"), "{:#}", found.json);
        assert_eq!(found.says("fin_or_reset"), "by FIN (silent)");
        found.assert_exit(0);
    }
}
