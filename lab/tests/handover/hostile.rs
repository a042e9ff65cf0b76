//! Peers of the same user that do not keep to the protocol: every one is refused, in time, and no descriptor stays open.

use crate::heir::{Folder, HEIR, Heir};
use crate::offers::PATIENCE;
use lastack_graceful::handover::frame::{Frame, LONGEST};
use lastack_graceful::handover::{Listeners, Terms};
use lastack_lab::handover::SERVER;
use lastack_lab::namespace::Namespace;
use lastack_os::passing::{Channel, Rendezvous};
use rustix::fd::{AsFd, BorrowedFd};
use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::{Duration, Instant};

fn soon() -> Instant {
    Instant::now() + PATIENCE
}

fn listeners(count: usize) -> Listeners {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let mut listeners = Listeners::new();
    for _ in 0..count {
        listeners.add("http", &listener).expect("added");
    }
    listeners
}

/// What an offerer says to a successor that sends these octets first.
fn refusal(octets: &[u8]) -> String {
    let folder = Folder::new();
    let mut offer = listeners(1).offer(folder.path(), &Terms::default()).expect("an offer");
    let path = folder.path();
    let octets = octets.to_owned();
    let peer = std::thread::spawn(move || {
        let channel = Channel::connect(&path, soon()).expect("connected");
        channel.send(&octets, &[], soon()).expect("sent");
        drop(channel.receive(LONGEST, soon()).expect_err("it hangs up"));
    });
    let error = offer.wait(PATIENCE).expect_err("no successor").to_string();
    peer.join().expect("a peer that ends");
    assert!(folder.path().exists(), "the offer stands");
    error
}

/// What a successor says to an offerer that sends these octets with these descriptors.
fn disbelief(octets: &[u8], descriptors: &[BorrowedFd<'_>]) -> String {
    let folder = Folder::new();
    let rendezvous = Rendezvous::open(&folder.path()).expect("a rendezvous");
    let path = folder.path();
    let successor = std::thread::spawn(move || Listeners::receive(path, &Terms::default()));
    let channel = rendezvous.accept(soon()).expect("a successor");
    assert_eq!(
        Frame::parse(&channel.receive(LONGEST, soon()).expect("a frame").octets),
        Ok(Frame::Hello)
    );
    channel.send(octets, descriptors, soon()).expect("sent");
    // Descriptors that it closes are closed when it hangs up.
    let refused = successor.join().expect("a successor that ends");
    refused.expect_err("nothing to believe").to_string()
}

fn listed(total: u32, names: &[&str]) -> Vec<u8> {
    let names = names.iter().map(|&name| name.to_owned()).collect();
    Frame::Listeners { total, names }.encode().expect("encoded")
}

#[test]
fn an_offerer_refuses_what_is_no_greeting() {
    let _namespace = Namespace::enter();
    let hello = Frame::Hello.encode().expect("encoded");
    let mut of_tomorrow = hello.clone();
    of_tomorrow[4] = 9;
    for (octets, word) in [
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "does not speak this protocol"),
        (of_tomorrow, "version 9"),
        (hello[..8].to_vec(), "lengths"),
        ([&hello[..], b"more"].concat(), "lengths"),
        (vec![0; LONGEST + 1], "longer than"),
        (Frame::Ready.encode().expect("encoded"), "Ready when Hello"),
    ] {
        let said = refusal(&octets);
        assert!(said.contains(word), "{word}: {said}");
    }
}

#[test]
fn a_silent_successor_is_not_waited_for_longer_than_agreed() {
    let _namespace = Namespace::enter();
    let folder = Folder::new();
    let terms = Terms::default().patience(Duration::from_millis(50));
    let mut offer = listeners(1).offer(folder.path(), &terms).expect("an offer");
    let _silent = Channel::connect(&folder.path(), soon()).expect("connected");
    let error = offer.wait(PATIENCE).expect_err("it never spoke");
    assert_eq!(error.cause().kind(), std::io::ErrorKind::TimedOut);
}

#[test]
fn a_successor_refuses_counts_that_lie() {
    let _namespace = Namespace::enter();
    let listener = TcpListener::bind(SERVER).expect("a listener");
    let one = [listener.as_fd()];
    let two = [listener.as_fd(), listener.as_fd()];
    let cases: [(&[u8], &[BorrowedFd<'_>], &str); 6] = [
        (&listed(2, &["a", "b"]), &one, "2 names with 1 descriptors"),
        (&listed(1, &["a"]), &two, "1 names with 2 descriptors"),
        (&listed(1, &["a"]), &[], "1 names with 0 descriptors"),
        (&[&listed(1, &["a"])[..6], &[0xff; 6]].concat(), &one, "lengths"),
        (&Frame::Released.encode().expect("encoded"), &one, "something else than listeners"),
        (b"", &one, "gone"),
    ];
    for (octets, descriptors, word) in cases {
        let said = disbelief(octets, descriptors);
        assert!(said.contains(word), "{word}: {said}");
    }
}

#[test]
fn what_is_no_listener_is_refused_and_closed() {
    let _namespace = Namespace::enter();
    let listener = TcpListener::bind(SERVER).expect("a listener");
    let (sent, mut watched) = UnixStream::pair().expect("a pair");
    let said = disbelief(&listed(2, &["a", "b"]), &[listener.as_fd(), sent.as_fd()]);
    assert!(said.contains("\"b\" is a socket of another family"), "{said}");
    drop(sent);
    watched.set_read_timeout(Some(PATIENCE)).expect("a time limit");
    assert_eq!(watched.read(&mut [0]).expect("closed at the other end"), 0);
}

#[test]
fn descriptors_that_do_not_fit_are_told_and_the_offer_stands() {
    let _namespace = Namespace::enter();
    let folder = Folder::new();
    let mut offer = listeners(100).offer(folder.path(), &Terms::default()).expect("an offer");
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 40; exec \"$HEIR\" receive \"$0\""]);
    let mut cramped = Heir::spawn(command.arg(folder.path()).env("HEIR", HEIR));
    let error = offer.wait(PATIENCE).expect_err("it could not have them").to_string();
    assert!(error.contains("gone"), "{error}");
    let said = cramped.line();
    assert!(said.contains("cut off") && said.contains("RLIMIT_NOFILE"), "{said}");
    let mut roomy = Heir::start(&["receive", folder.path().to_str().expect("UTF-8")]);
    assert_eq!(offer.wait(PATIENCE).expect("taken").listeners, 100);
    assert_eq!(roomy.rest().len(), 100);
}
