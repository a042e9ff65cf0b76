//! What is typed wrongly, who cannot be reached, and how the answer looks.

use super::scene::server;
use lastack_lab::namespace::Namespace;
use lastack_lab::paper::assert_clean;
use lastack_lab::program::{Run, lastack, path, run};
use std::net::TcpStream;
use std::process::Command;

fn fault(arguments: &[&str]) -> String {
    let Run { stdout, stderr, code } = lastack(&[&["probe"], arguments].concat());
    assert_eq!((code, stdout.as_str()), (Some(2), ""), "{arguments:?}: {stderr}");
    stderr
}

#[test]
fn what_is_typed_wrongly_is_one_error_and_nobody_is_called() {
    let _namespace = Namespace::enter();
    for (arguments, part) in [
        (&["https://u:p@localhost/"][..], "password"),
        (&["https://:443"], "the host is missing"),
        (&["https://a..b/"], "a..b"),
        (&["https://127.0.0.1/", "--tls"], "--tls is for an address"),
        (&["ftp://localhost/"], "neither http nor https"),
        (&["http://"], "the host is missing"),
        (&["http://u:p@localhost/"], "password"),
        (&["udp/53"], "only TCP"),
        (&["70000"], "ports go from 1 to 65535"),
        (&["127.0.0.1"], "the port is missing"),
        (&["http://127.0.0.1/", "--send", "x"], "--send is for an address"),
        (&["8080", "--method", "POST"], "--method is for a URL"),
        (&["http://127.0.0.1/", "--method", "GET /"], "no method"),
        (&["8080", "--send", r"\q"], "a backslash begins"),
        (&["8080", "--send", "@/nowhere"], "failed to read what to send"),
        (&["8080", "--patience", "0"], "--patience 0"),
        (&["fe80::1%none:80"], "brackets"),
        (&["[fe80::1%none]:80"], "no interface is called"),
    ] {
        let stderr = fault(arguments);
        assert!(stderr.contains(part), "{arguments:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
    assert!(fault(&["8080", "--timeout", "2 days"]).contains("--timeout"));
}

#[test]
fn a_port_where_nobody_listens_is_an_error_that_says_so() {
    let _namespace = Namespace::enter();
    let stderr = fault(&["http://127.0.0.1:9/"]);
    assert!(stderr.contains("failed to connect to 127.0.0.1:9: connection refused"), "{stderr}");
}

#[test]
fn an_address_without_a_route_is_an_error_that_says_so() {
    let _namespace = Namespace::enter();
    let stderr = fault(&["192.0.2.1:80"]);
    assert!(stderr.to_lowercase().contains("unreachable"), "{stderr}");
}

#[test]
fn a_dry_run_calls_nobody_and_says_the_bounds() {
    let _namespace = Namespace::enter();
    let address = server(|_: TcpStream| panic!("somebody connected"));
    let run = lastack(&["probe", &format!("http://{address}/"), "--dry-run"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert!(run.stdout.contains("6 connections, one after another"), "{}", run.stdout);
    let json = lastack(&["probe", &address.to_string(), "--dry-run", "--json"]).json();
    assert_eq!((&json["most_sent"], &json["dry_run"]), (&0.into(), &true.into()));
}

#[test]
fn the_answer_fits_80_columns_without_colour_and_a_closed_pipe_is_quiet() {
    let _namespace = Namespace::enter();
    let address = server(drop).to_string();
    let words = ["probe", &address, "--send", "hello", "--patience", "300ms", "--ladders"];
    let answer = lastack(&words);
    assert_clean(&answer.stdout);
    assert!(answer.stdout.contains("Connection \"words\""), "{}", answer.stdout);
    let piped = format!("{} {} | true", path().display(), words.join(" "));
    let quiet = run(Command::new("sh").args(["-c", &piped]));
    assert!(quiet.stderr.starts_with("lastack: probing"), "{}", quiet.stderr);
    assert!(quiet.stderr.ends_with("at most 60 s\n"), "only what it costs: {}", quiet.stderr);
}
