//! Offers and those who take them: names are kept, whoever dies half way harms nobody, and strangers get nothing.

use crate::heir::{Folder, Heir, is_answered};
use lastack_graceful::handover::{Listeners, Mode, Offer, Terms};
use lastack_lab::handover::{SERVER, Server};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::{NOBODY, undisturbed};
use rustix::thread::{Uid, set_thread_res_uid};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::sync::Arc;
use std::time::Duration;

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
const STRANGER: u32 = 65_533;

/// A listener that is served, and offered.
fn offered(folder: &Folder) -> (Server, Offer) {
    let listener = TcpListener::bind(SERVER).expect("a listener");
    let mut listeners = Listeners::new();
    listeners.add("http", &listener).expect("added");
    let offer = listeners.offer(folder.path(), &Terms::default()).expect("an offer");
    (Server::start(listener, &Arc::default()), offer)
}

/// Does something in a thread of this user.
fn as_user<T: Send>(uid: u32, act: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let uid = Uid::from_raw(uid);
            set_thread_res_uid(uid, uid, uid).expect("another user: run as root");
            act()
        });
        thread.join().expect("a thread that ends")
    })
}

#[test]
fn a_successor_that_dies_before_it_is_ready_harms_nobody_and_the_next_one_succeeds() {
    let _namespace = Namespace::enter();
    let folder = Folder::new();
    let (server, mut offer) = offered(&folder);
    let path = folder.path();
    let path = path.to_str().expect("a path in UTF-8");

    let dying = Heir::start(&["dies", path]);
    let error = offer.wait(PATIENCE).expect_err("it was not ready");
    assert!(error.to_string().contains("it is gone"), "{error}");
    assert!(error.to_string().contains(&format!("pid {}", dying.pid())), "{error}");
    assert!(is_answered(), "the old one serves on");

    let mut living = Heir::start(&["receive", path]);
    let taken = offer.wait(PATIENCE).expect("taken");
    assert_eq!((taken.pid, taken.listeners), (living.pid(), 1));
    assert_eq!(living.rest(), [format!("http {SERVER}")]);
    assert!(living.end().success());
    assert!(!folder.path().exists(), "the path is free");
    let again = offer.wait(PATIENCE).expect_err("taken before");
    assert_eq!(again.cause().kind(), ErrorKind::NotFound);
    drop(server.stop());
}

#[test]
fn nobody_comes_and_the_time_is_over() {
    let _namespace = Namespace::enter();
    let folder = Folder::new();
    let (server, mut offer) = offered(&folder);
    let error = offer.wait(Duration::from_millis(20)).expect_err("nobody came");
    assert_eq!(error.cause().kind(), ErrorKind::TimedOut);
    assert!(is_answered());
    drop(server.stop());
}

#[test]
fn a_successor_that_is_never_ready_is_waited_for_no_longer_than_agreed() {
    let _namespace = Namespace::enter();
    let folder = Folder::new();
    let listener = TcpListener::bind(SERVER).expect("a listener");
    let mut listeners = Listeners::new();
    listeners.add("http", &listener).expect("added");
    let terms = Terms::default().ready_within(Duration::from_millis(50));
    let mut offer = listeners.offer(folder.path(), &terms).expect("an offer");
    let path = folder.path();
    let received = std::thread::spawn(move || Listeners::receive(path, &Terms::default()));
    let error = offer.wait(PATIENCE).expect_err("it never was");
    assert_eq!(error.cause().kind(), ErrorKind::TimedOut);
    let (_, predecessor) = received.join().expect("a thread").expect("received");
    drop(predecessor.ready().expect_err("too late"));
}

#[test]
fn names_and_order_are_kept_of_more_than_one_message_can_carry() {
    let _namespace = Namespace::enter();
    let folder = Folder::new();
    let mut listeners = Listeners::new();
    let listener = TcpListener::bind(SERVER).expect("a listener");
    let other = TcpListener::bind("[::1]:8080").expect("a listener");
    // Two descriptors in seven are of the other address, so that a mix-up shows.
    let expected: Vec<(String, SocketAddr)> = (0..MANY)
        .map(|index| {
            let of = if index % 7 < 2 { &other } else { &listener };
            listeners.add(&format!("name {}", index % 100), of).expect("added");
            (format!("name {}", index % 100), of.local_addr().expect("its address"))
        })
        .collect();
    let mut offer = listeners.offer(folder.path(), &Terms::default()).expect("an offer");
    let path = folder.path();
    let successor = std::thread::spawn(move || {
        let (listeners, predecessor) = Listeners::receive(path, &Terms::default())?;
        predecessor.ready().map(|()| listeners)
    });
    assert_eq!(offer.wait(PATIENCE).expect("taken").listeners, MANY);
    let received = successor.join().expect("a thread").expect("received");
    let received: Vec<_> = received.iter().map(|(name, at)| (name.to_owned(), at)).collect();
    assert_eq!(received, expected);
}

#[test]
fn two_listeners_at_one_address_keep_their_names() {
    let _namespace = Namespace::enter();
    let folder = Folder::new();
    let (first, second) = (lastack_lab::handover::listening(), lastack_lab::handover::listening());
    let mut listeners = Listeners::new();
    listeners.add("first", &first).expect("added");
    listeners.add("second", &second).expect("added");
    let mut offer = listeners.offer(folder.path(), &Terms::default()).expect("an offer");
    let path = folder.path();
    let successor = std::thread::spawn(move || {
        let (mut listeners, predecessor) = Listeners::receive(path, &Terms::default())?;
        let second = listeners.take("second", Mode::Unchanged)?;
        predecessor.ready().map(|()| second)
    });
    offer.wait(PATIENCE).expect("taken");
    let received = successor.join().expect("a thread").expect("received");
    let identity = |listener: &TcpListener| rustix::net::sockopt::socket_cookie(listener);
    assert_eq!(identity(&received), identity(&second));
}

#[test]
fn an_ordinary_user_gets_nothing_of_another_users_offer() {
    let _namespace = Namespace::enter();
    let folder = Folder::new();
    let (server, _offer) = offered(&folder);
    let path = folder.path();
    let mode = std::fs::metadata(&path).expect("the socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let error = as_user(NOBODY, || {
        Listeners::receive(&path, &Terms::default()).expect_err("the mode forbids it")
    });
    assert_eq!(error.cause().kind(), ErrorKind::PermissionDenied);
    drop(server.stop());
}

#[test]
fn a_stranger_whom_the_mode_lets_in_is_refused_by_name_and_the_offer_stands() {
    let _namespace = Namespace::enter();
    let folder = Folder::new();
    let (server, mut offer) = offered(&folder);
    let path = folder.path();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).expect("its mode");
    let refused = std::thread::scope(|scope| {
        let stranger = scope
            .spawn(|| as_user(NOBODY, || Listeners::receive(&path, &Terms::default()).map(drop)));
        let refused = offer.wait(PATIENCE).expect_err("a stranger").to_string();
        drop(stranger.join().expect("a thread").expect_err("refused"));
        refused
    });
    assert!(refused.contains("uid 65534") && refused.contains("neither"), "{refused}");
    let trusting = Terms::default().trusting(NOBODY);
    drop(offer);
    let mut listeners = Listeners::new();
    let listener = server.stop();
    listeners.add("http", &listener).expect("added");
    let mut offer = listeners.offer(&path, &trusting).expect("an offer");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).expect("its mode");
    std::thread::scope(|scope| {
        let trusted = scope.spawn(|| {
            as_user(NOBODY, || {
                let (_, predecessor) = Listeners::receive(&path, &Terms::default())?;
                predecessor.ready()
            })
        });
        assert_eq!(offer.wait(PATIENCE).expect("taken").uid, NOBODY);
        trusted.join().expect("a thread").expect("received");
    });
}

#[test]
fn what_a_stranger_offers_is_not_taken() {
    let _namespace = Namespace::enter();
    let folder = Folder::new();
    chown(&folder.0, Some(STRANGER), None).expect("a stranger's folder");
    let path = folder.path();
    let listener = TcpListener::bind(SERVER).expect("a listener");
    let mut offer = as_user(STRANGER, || {
        let mut listeners = Listeners::new();
        listeners.add("http", &listener).expect("added");
        listeners.offer(&path, &Terms::default()).expect("an offer")
    });
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).expect("its mode");
    let error = as_user(NOBODY, || {
        Listeners::receive(&path, &Terms::default()).expect_err("a stranger").to_string()
    });
    assert!(error.contains(&format!("uid {STRANGER}")), "{error}");
    drop(offer.wait(PATIENCE).expect_err("nobody took them"));
}

#[test]
fn under_tokio_what_was_blocking_does_not_block() {
    let _namespace = Namespace::enter();
    let folder = Folder::new();
    let listener = TcpListener::bind(SERVER).expect("a blocking listener");
    let mut listeners = Listeners::new();
    listeners.add("http", &listener).expect("added");
    let mut offer = listeners.offer(folder.path(), &Terms::default()).expect("an offer");
    let path = folder.path();
    let successor = std::thread::spawn(move || {
        let (mut listeners, predecessor) = Listeners::receive(path, &Terms::default())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let listener = listeners.take_tokio("http")?;
            // Were it blocking, this would never come back to the timer.
            let limit = Duration::from_millis(50);
            let accepted = tokio::time::timeout(limit, listener.accept()).await;
            assert!(accepted.is_err(), "nobody has connected");
            predecessor.ready()?;
            let client = tokio::net::TcpStream::connect(SERVER).await.expect("connected");
            listener.accept().await.expect("accepted");
            drop(client);
            Ok::<_, lastack_graceful::handover::Error>(())
        })
    });
    offer.wait(PATIENCE).expect("taken");
    successor.join().expect("a thread").expect("received");
    undisturbed(|| drop(listener));
    drop(TcpStream::connect(SERVER).expect_err("nobody has it any more"));
}

const MANY: usize = 600;
