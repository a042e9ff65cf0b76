//! Servers of the test's own over HTTP, each with one habit.

use super::scene::{BIG, answer, probe, reads_head, reads_upload, serve_well, server};
use lastack_graceful::close::abort;
use lastack_lab::namespace::Namespace;
use std::io::Write as _;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

fn url(address: SocketAddr) -> String {
    format!("http://{address}/")
}

#[test]
fn a_server_that_closes_in_order_has_no_fault() {
    let _namespace = Namespace::enter();
    let address = server(serve_well);
    let found = probe(&url(address), &[]);
    found.assert_exit(0);
    assert_eq!(found.with("fault"), [""; 0]);
    assert_eq!(found.verdict("early_answer"), "good");
    assert!(found.says("early_answer").contains("1048576 octets"));
}

#[test]
fn a_server_that_closes_naively_cuts_answers_and_is_told_of_the_library() {
    let _namespace = Namespace::enter();
    let address = server(|mut stream: TcpStream| {
        if reads_head(&stream) {
            let _ = stream.write_all(&answer(BIG));
        }
    });
    let found = probe(&url(address), &[]);
    found.assert_exit(1);
    assert_eq!(found.with("fault"), ["early_answer", "unread_input"]);
    assert!(found.fixes().contains("lastack-graceful"), "{}", found.fixes());
}

#[test]
fn an_answer_that_arrives_before_its_reset_is_a_fault_all_the_same() {
    let _namespace = Namespace::enter();
    let address = server(|mut stream: TcpStream| {
        if reads_head(&stream) {
            let _ = stream.write_all(&answer(4));
            // Until it has arrived.
            while lastack_os::connection::unacknowledged(&stream).expect("SIOCOUTQ") > 0 {
                std::thread::yield_now();
            }
        }
    });
    let found = probe(&url(address), &[]);
    found.assert_exit(1);
    assert_eq!(found.verdict("early_answer"), "fault");
    assert!(found.says("early_answer").contains("arrived this time"), "{:#}", found.json);
}

#[test]
fn a_server_that_never_closes_is_found_in_close_wait() {
    let _namespace = Namespace::enter();
    let address = server(|mut stream: TcpStream| {
        while reads_head(&stream) {
            let whole = answer(4);
            let _ = stream.write_all(&whole);
        }
        std::thread::sleep(Duration::MAX);
        drop(stream);
    });
    let found = probe(&url(address), &[]);
    found.assert_exit(1);
    assert_eq!(found.verdict("closes_first"), "fault");
    assert_eq!(found.verdict("lets_go"), "fault");
    let text = found.json["findings"].to_string();
    assert!(text.contains("seen in CLOSE_WAIT"), "{text}");
}

#[test]
fn a_server_that_always_resets_is_found_out() {
    let _namespace = Namespace::enter();
    let address = server(|mut stream: TcpStream| {
        if reads_head(&stream) {
            let _ = stream.write_all(&answer(4));
        }
        abort(stream).expect("a reset");
    });
    let found = probe(&url(address), &[]);
    found.assert_exit(1);
    assert_eq!(found.verdict("fin_or_reset"), "fault", "{:#}", found.json["findings"]);
    assert!(found.says("closes_first").starts_with("nobody: the server resets"));
}

#[test]
fn an_answer_shorter_than_announced_that_ends_by_fin_is_cut_too() {
    let _namespace = Namespace::enter();
    let address = server(|mut stream: TcpStream| {
        if reads_head(&stream) {
            let whole = answer(100);
            let _ = stream.write_all(&whole[..whole.len() - 1]);
            let _ = stream.shutdown(Shutdown::Write);
        }
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let found = probe(&url(address), &[]);
    assert!(found.says("unread_input").contains("99 of 100 octets arrived, then a FIN"));
    found.assert_exit(1);
}

#[test]
fn a_server_that_reads_everything_first_leaves_a_question_open() {
    let _namespace = Namespace::enter();
    let address = server(|mut stream: TcpStream| {
        // What a client still sends is counted by silence.
        stream.set_read_timeout(Some(Duration::from_millis(300))).expect("a time limit");
        if reads_upload(&stream) > 0 {
            let _ = stream.write_all(&answer(4));
        }
        let _ = stream.shutdown(Shutdown::Write);
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let found = probe(&url(address), &[]);
    assert_eq!(found.verdict("early_answer"), "undecided", "{:#}", found.json["findings"]);
    assert!(found.says("early_answer").contains("read the whole upload"));
    found.assert_exit(3);
}

#[test]
fn an_endless_answer_is_read_to_the_bound_and_no_further() {
    let _namespace = Namespace::enter();
    let address = server(|mut stream: TcpStream| {
        if reads_head(&stream) {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
            while stream.write_all(&[b'e'; 4096]).is_ok() {}
        }
    });
    let found = probe(&url(address), &[]);
    for connection in found.json["connections"].as_array().expect("connections") {
        let received = connection["observed"]["received"].as_u64().expect("a number");
        assert!(received <= (4 << 20) + (16 << 10), "{received}");
    }
    assert!(found.says("unread_input").contains("longer than"), "{:#}", found.json["findings"]);
    found.assert_exit(3);
}

#[test]
fn what_is_no_http_is_said_to_be_none() {
    let _namespace = Namespace::enter();
    let address = server(|mut stream: TcpStream| {
        let _ = stream.write_all(b"220 mail.example ESMTP\r\n");
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let found = probe(&url(address), &[]);
    assert!(found.says("unread_input").contains("no answer in HTTP/1"), "{:#}", found.json);
    found.assert_exit(3);
}

#[test]
fn a_trickle_ends_with_the_time() {
    let _namespace = Namespace::enter();
    let address = server(|mut stream: TcpStream| {
        if reads_head(&stream) {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
            while stream.write_all(b"e").is_ok() {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    });
    let found = probe(&url(address), &["--timeout", "2s"]);
    found.assert_exit(124);
    assert_eq!(found.json["complete"], false);
    let took = found.json["took_ms"].as_u64().expect("a time");
    assert!((2000..4000).contains(&took), "{took}");
}
