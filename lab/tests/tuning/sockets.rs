//! Options of one socket, beside those of the namespace that they stand for.

use crate::bench::{LOCAL, client_of, local, reusing, send};
use lastack_lab::link::OtherHost;
use lastack_lab::namespace::Namespace;
use lastack_lab::program::{run, undisturbed};
use lastack_lab::sockets;
use lastack_lab::states::{self, on_port, wait_until};
use lastack_model::state::State;
use rustix::io::Errno;
use rustix::net::sockopt;
use std::process::Command;
use std::time::Duration;

/// Runs Python in this namespace, for options that no safe wrapper here sets; its output.
fn python(script: &str) -> String {
    let ran = run(Command::new("python3").args(["-c", &format!("{PREAMBLE}\n{script}")]));
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{script}");
    ran.stdout.trim().to_owned()
}

const PREAMBLE: &str = "\
import socket, struct, time
def fresh(port=None):
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if port is not None: s.bind(('127.0.0.1', port))
    return s
def listener(port):
    s = fresh(port); s.listen(); return s";

#[test]
fn so_linger_of_0_resets_the_peer_and_leaves_no_time_wait() {
    let _namespace = Namespace::enter();
    let listener = states::listening(&reusing(LOCAL, 300));
    let pair = states::established(&listener, local(300));
    undisturbed(|| sockets::reset(pair.ours));
    wait_until("the peer is reset", || {
        sockopt::socket_error(&pair.peer).expect("SO_ERROR") == Err(Errno::CONNRESET)
    });
    assert!(on_port(300).iter().all(|socket| socket.state == State::Listen), "{:?}", on_port(300));
}

#[test]
fn tcp_user_timeout_gives_one_connection_up_early() {
    let namespace = Namespace::enter();
    let host = OtherHost::joined_to(&namespace);
    let (hasty, _one) = client_of(&host, 3000);
    let (patient, _two) = client_of(&host, 3001);
    sockopt::set_tcp_user_timeout(&hasty, 500).expect("TCP_USER_TIMEOUT");
    host.fall_silent();
    send(&hasty);
    send(&patient);
    wait_until("it is given up", || {
        sockopt::socket_error(&hasty).expect("SO_ERROR") == Err(Errno::TIMEDOUT)
    });
    assert_eq!(on_port(3001)[0].state, State::Established, "the other one goes on");
}

#[test]
fn tcp_keepidle_is_tcp_keepalive_time_for_one_socket() {
    let _namespace = Namespace::enter();
    let listener = states::listening(&reusing(LOCAL, 300));
    let pair = states::established(&listener, local(300));
    for socket in [&pair.ours, &pair.peer] {
        sockopt::set_socket_keepalive(socket, true).expect("SO_KEEPALIVE");
    }
    sockopt::set_tcp_keepidle(&pair.peer, Duration::from_secs(50)).expect("TCP_KEEPIDLE");
    let left = |socket| {
        let own = sockets::local(socket);
        let found = on_port(own.port()).into_iter();
        let mut found = found.filter(|seen| seen.state == State::Established && seen.local == own);
        found.next().expect("it is there").timer.remaining_ms
    };
    assert!((40_000..=50_000).contains(&left(&pair.peer)), "{}", left(&pair.peer));
    assert!((7_000_000..=7_200_000).contains(&left(&pair.ours)), "{}", left(&pair.ours));
}

#[test]
fn tcp_linger2_is_tcp_fin_timeout_for_one_socket() {
    let _namespace = Namespace::enter();
    let left = python(
        "l = listener(300); c = fresh(); c.connect(('127.0.0.1', 300)); a, _ = l.accept()\n\
         a.setsockopt(socket.IPPROTO_TCP, socket.TCP_LINGER2, 5); a.close()\n\
         while True:\n    \
         rows = [row.split() for row in open('/proc/net/tcp')]\n    \
         ours = [row[5] for row in rows if row[1].endswith(':012C') and row[3] == '05']\n    \
         if ours and ours[0].startswith('03:'): break\n\
         print(int(ours[0][3:], 16))",
    );
    let hundredths: u64 = left.parse().expect("a number");
    assert!((300..=500).contains(&hundredths), "5 s, not 60: {hundredths} hundredths are left");
    let reset = python(
        "l = listener(301); c = fresh(); c.connect(('127.0.0.1', 301)); a, _ = l.accept()\n\
         a.setsockopt(socket.IPPROTO_TCP, socket.TCP_LINGER2, -1); a.close()\n\
         end = time.monotonic() + 10\n\
         while time.monotonic() < end and not c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR): pass\n\
         print('reset' if time.monotonic() < end else 'open')",
    );
    assert_eq!(reset, "reset", "below 0 there is no FIN_WAIT_2");
}

#[test]
fn ip_bind_address_no_port_leaves_the_port_to_connect() {
    let namespace = Namespace::enter();
    namespace.set("ipv4/ip_local_port_range", "50000 50001");
    namespace.set("ipv4/ip_local_reserved_ports", "50001");
    let made = |option: &str| {
        python(&format!(
            "l, m = listener(300), listener(301); kept = []\n\
             try:\n    \
             for port in (300, 301):\n        \
             s = socket.socket(); kept.append(s){option}\n        \
             s.bind(('127.0.0.1', 0)); s.connect(('127.0.0.1', port))\n\
             except OSError as error: print(error.errno)\n\
             else: print([s.getsockname()[1] for s in kept])"
        ))
    };
    assert_eq!(made(""), libc::EADDRINUSE.to_string(), "bind() takes the one port for all");
    assert_eq!(made("; s.setsockopt(socket.IPPROTO_IP, 24, 1)"), "[50000, 50000]");
}

#[test]
fn ip_local_port_range_of_a_socket_narrows_that_of_the_namespace() {
    let namespace = Namespace::enter();
    namespace.set("ipv4/ip_local_port_range", "50000 50999");
    let chosen = |low: u32, high: u32| {
        python(&format!(
            "l = listener(300); s = socket.socket()\n\
             s.setsockopt(socket.IPPROTO_IP, 51, struct.pack('I', {high} << 16 | {low}))\n\
             s.connect(('127.0.0.1', 300)); print(s.getsockname()[1])"
        ))
    };
    assert_eq!(chosen(50_500, 50_500), "50500");
    let port: u16 = chosen(40_000, 40_001).parse().expect("a port");
    assert!(
        (50_000..=50_999).contains(&port),
        "bounds outside the namespace's do not count: {port}"
    );
}
