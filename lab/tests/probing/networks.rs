//! Servers on other hosts: over IPv6, by names with two addresses, behind a filter; and those with nothing to say.

use super::scene::{BIG, Folder, found, probe, serve_well, server, server_at};
use lastack_graceful::close::abort;
use lastack_lab::link::{OtherHost, THERE, THERE_V6};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::{Run, lastack, path, run};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

/// The calling thread's host, and another that it reaches by both families.
fn two_hosts() -> (Namespace, OtherHost) {
    let here = Namespace::enter();
    let there = OtherHost::joined_to(&here);
    there.speak_ipv6();
    (here, there)
}

/// A server without a fault on the other host.
fn serves(host: &OtherHost, at: IpAddr) {
    host.run(move |_| server_at((at, 80), serve_well));
}

/// Probes a name that has both addresses of the other host, and no other meaning.
fn probe_by_name() -> Run {
    let folder = Folder::new();
    let hosts = folder.write("hosts", &format!("{THERE} two.example\n{THERE_V6} two.example\n"));
    let script = format!(
        "mount --bind {hosts} /etc/hosts && \
         exec {} probe http://two.example/ --json --patience 700ms",
        path().display()
    );
    let mut command = Command::new("unshare");
    run(command.args(["--mount", "sh", "-c", &script]))
}

#[test]
fn a_server_on_another_host_is_probed_over_ipv6_and_its_states_are_not_seen() {
    let (_here, there) = two_hosts();
    serves(&there, THERE_V6.into());
    let found = probe(&format!("http://[{THERE_V6}]:80/"), &[]);
    found.assert_exit(0);
    assert_eq!(found.json["address"], format!("[{THERE_V6}]:80"));
    assert!(found.says("early_answer").contains(&BIG.to_string()));
    let unseen = found.json["unseen"].to_string();
    assert!(unseen.contains("the server's own states"), "{unseen}");
    let text = lastack(&["probe", &format!("http://[{THERE_V6}]/"), "--ladders"]).stdout;
    assert!(text.contains("- the server's own states: they are in its kernel"), "{text}");
    assert!(text.contains("(ESTABLISHED)"), "only inferred: {text}");
}

#[test]
fn of_a_name_with_two_addresses_the_one_that_answers_is_probed() {
    for serving in [IpAddr::from(THERE), THERE_V6.into()] {
        let (_here, there) = two_hosts();
        serves(&there, serving);
        let found = found("two.example", probe_by_name());
        found.assert_exit(0);
        let address = found.json["address"].as_str().expect("an address");
        assert_eq!(address, SocketAddr::from((serving, 80)).to_string());
    }
}

#[test]
fn a_name_where_nobody_listens_is_an_error_that_names_both_addresses() {
    let (_here, _there) = two_hosts();
    let run = probe_by_name();
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{}", run.stderr);
    for address in [format!("{THERE}:80"), format!("[{THERE_V6}]:80")] {
        let refused = format!("failed to connect to {address}: connection refused");
        assert!(run.stderr.contains(&refused), "{}", run.stderr);
    }
}

/// A host that answers nothing that is sent to it.
fn filtered() -> (Namespace, OtherHost, String) {
    let here = Namespace::enter();
    let there = OtherHost::joined_to(&here);
    let at = there.run(|_| TcpListener::bind((THERE, 80)).expect("listen"));
    TcpStream::connect((THERE, 80)).expect("it answers at first");
    drop(at);
    there.fall_silent();
    (here, there, format!("http://{THERE}/"))
}

#[test]
fn where_nobody_answers_the_error_comes_when_patience_ends() {
    let (_here, _there, url) = filtered();
    let began = Instant::now();
    let run = lastack(&["probe", &url, "--patience", "500ms"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{}", run.stderr);
    let said = format!("failed to connect to {THERE}:80: nobody answered within 500 ms");
    assert!(run.stderr.contains(&said) && run.stderr.contains("--patience"), "{}", run.stderr);
    assert!(began.elapsed() >= Duration::from_millis(500), "{:?}", began.elapsed());
}

#[test]
fn where_nobody_answers_and_the_time_ends_first_it_is_124_and_a_report() {
    let (_here, _there, url) = filtered();
    let began = Instant::now();
    let found = probe(&url, &["--timeout", "400ms"]);
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    found.assert_exit(124);
    assert_eq!(found.json["complete"], false);
    assert_eq!(found.with("fault"), [""; 0]);
    let says = found.says("closes_first");
    assert!(says.contains("there was no connection"), "{says}");
    assert!(found.json["connections"].to_string().contains("nobody answered within 400 ms"));
}

#[test]
fn a_server_that_resets_at_accept_is_found_out_however_early_the_reset_comes() {
    let _namespace = Namespace::enter();
    let address = server(|stream| abort(stream).expect("a reset"));
    for _ in 0..20 {
        let found = probe(&address.to_string(), &[]);
        found.assert_exit(3);
        assert!(found.says("closes_first").starts_with("nobody: the server resets"));
        assert_eq!(found.verdict("fin_or_reset"), "noted", "{:#}", found.json["findings"]);
    }
    let found = probe(&format!("http://{address}/"), &[]);
    found.assert_exit(1);
    assert_eq!(found.with("fault"), ["early_answer", "unread_input", "fin_or_reset"]);
    let findings = found.json["findings"].to_string();
    assert!(findings.contains("by a reset instead of an answer (close)"), "{findings}");
    assert!(!findings.contains("left unread") && !findings.contains("believes"), "{findings}");
}

#[test]
fn a_server_that_says_nothing_leaves_what_it_answers_open() {
    let _namespace = Namespace::enter();
    let address = server(|mut stream: TcpStream| {
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let url = format!("http://{address}/");
    let found = probe(&url, &[]);
    found.assert_exit(3);
    for question in ["early_answer", "unread_input", "closes_first", "half_close"] {
        assert_eq!(found.verdict(question), "undecided", "{:#}", found.json["findings"]);
    }
    assert_eq!(found.verdict("lets_go"), "good");
    let found = probe(&url, &["--timeout", "1s"]);
    found.assert_exit(124);
    assert!(found.json["took_ms"].as_u64().is_some_and(|took| took < 2000), "{}", found.json);
}
