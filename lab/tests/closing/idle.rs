//! By idleness: what moved lately is left alone, whatever else is alike.

use crate::stage::{
    HERE, ONE, OTHER, assert_closes, assert_ended, assert_listens, assert_lives, connect, is_there,
    listener, selected, time_wait,
};
use lastack_lab::namespace::Namespace;
use lastack_lab::states::{Pair, wait_until};
use lastack_model::facts::{Host, Socket, Transport};
use lastack_model::ids::{Cookie, Port};
use lastack_model::selection::idle_ms;
use lastack_os::sock_diag::{Detail, Filter, fold};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

fn sockets_on(port: u16) -> Vec<Socket> {
    let filter = Filter::on_port(Transport::Tcp, Port(port)).with(Detail::Traffic);
    fold(&filter, Vec::push).expect("a dump of the port").folded
}

fn is_idle(port: u16, wanted: impl Fn(&Socket) -> bool) -> bool {
    let host = Host::default();
    sockets_on(port).iter().any(|s| wanted(s) && idle_ms(s, &host).is_some_and(|ms| ms >= 1000))
}

/// Does something while both ends go on talking.
fn talking<T>(pair: &Pair, act: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                assert_lives(pair);
                thread::sleep(Duration::from_millis(20));
            }
        });
        let result = act();
        over.store(true, Ordering::Relaxed);
        result
    })
}

#[test]
fn a_silent_connection_ends_and_one_that_talks_lives() {
    Namespace::enter();
    let (server, to) = listener(HERE);
    let (silent, talker) = (connect(&server, to, ONE), connect(&server, to, OTHER));
    let local = to.to_string();
    talking(&talker, || {
        let is_silent = |s: &Socket| s.remote.is_some_and(|peer| peer.ip() == IpAddr::from(ONE));
        wait_until("one has been silent for a second", || is_idle(to.port(), is_silent));
        assert_closes(&["--local", &local, "--idle", "1s"], 1);
    });
    assert_ended(&silent);
    assert_lives(&talker);
    assert_listens(&server, to);
}

#[test]
fn an_old_time_wait_ends_and_a_new_one_stays() {
    Namespace::enter();
    let (server, to) = listener(HERE);
    let old = time_wait(&server, to, ONE);
    let is_old = |socket: &Socket| socket.cookie == old;
    wait_until("it has waited for a second", || is_idle(to.port(), is_old));
    // What is asked for is longer than the question takes, so that the new one is certainly too new.
    let new: Cookie = time_wait(&server, to, ONE);
    assert_closes(&["--local", &to.to_string(), "--idle", "1s"], 1);
    assert!(!is_there(to.port(), old) && is_there(to.port(), new));
    assert_listens(&server, to);
}

#[test]
fn an_orphan_is_idle_since_its_timer_was_started() {
    let namespace = Namespace::enter();
    namespace.set("ipv4/tcp_fin_timeout", "20");
    let (server, to) = listener(HERE);
    let pair = connect(&server, to, ONE);
    let peer = lastack_lab::program::undisturbed(|| lastack_lab::states::orphan_fin_wait_2(pair));
    let local = to.to_string();
    let asked = ["--local", &local, "--state", "fin-wait-2", "--idle"];
    let with = |time| [&asked[..], &[time]].concat();
    assert_eq!(selected(&with("10s")), 0, "20 s were set, so it cannot have waited for 10");
    wait_until("it has waited for a second", || selected(&with("1s")) == 1);
    assert_closes(&with("1s"), 1);
    drop(peer);
    assert_listens(&server, to);
}
