//! A pool whose ports are all in `TIME_WAIT` lends the first as soon as that is over, and has the kernel refuse none.

use lastack_graceful::close::ClosePolicy;
use lastack_graceful::ports::Ports;
use lastack_lab::link::{OtherHost, THERE};
use lastack_lab::namespace::Namespace;
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};
use std::{io, thread};

/// Connections that find a port at once, and those that wait.
const AT_ONCE: usize = 16;
const LATER: usize = 4;

#[test]
fn a_dry_pool_waits_until_the_first_time_wait_is_over() {
    let here = Namespace::enter();
    // With them the kernel would let a port be used again after a second.
    here.set("ipv4/tcp_timestamps", "0");
    let far = OtherHost::joined_to(&here);
    let to = SocketAddr::from((THERE, 514));
    far.run(move |_| {
        let listener = TcpListener::bind(to).expect("a listener");
        thread::spawn(move || {
            for stream in listener.incoming().take(AT_ONCE + LATER) {
                // Until the client has closed.
                let _ = io::copy(&mut stream.expect("a connection"), &mut io::sink());
            }
        });
    });
    let ports = Ports::of(1008..=1023);
    let close_first = || {
        let deadline = Instant::now() + Duration::from_secs(90);
        let (stream, lease) = ports.connect(to, deadline).expect("a port in the end");
        let _ = lease.close_orderly(stream, &ClosePolicy::client()).expect("a close");
    };
    let began = Instant::now();
    for _ in 0..AT_ONCE {
        close_first();
    }
    thread::scope(|scope| {
        for _ in 0..LATER {
            scope.spawn(close_first);
        }
    });
    assert!(began.elapsed() >= Duration::from_secs(65), "{:?}", began.elapsed());
    let counts = ports.counts();
    assert_eq!((counts.connected, counts.refused, counts.waited), (20, 0, 4), "{counts:?}");
}
