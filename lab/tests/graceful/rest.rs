//! Waiting costs no processor time, whatever the kernel keeps saying of the socket meanwhile.

use super::layers::Layer;
use ::tokio::runtime::Builder;
use lastack_graceful::close::tokio::close_orderly;
use lastack_graceful::close::{CloseOrderly as _, ClosePolicy, HalfClose};
use lastack_lab::namespace::Namespace;
use std::fs::read_to_string;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

const WAIT: Duration = Duration::from_secs(1);
const POLICY: ClosePolicy = ClosePolicy::server().idle(WAIT).within(WAIT);

/// What the calling thread has had of a processor (`/proc/PID/schedstat`).
fn processor_time() -> Duration {
    let text = read_to_string("/proc/thread-self/schedstat").expect("what the scheduler counts");
    let first = text.split_ascii_whitespace().next().expect("a number");
    Duration::from_nanos(first.parse().expect("a number"))
}

/// Closes in vain, by both drivers that wait in this thread.
fn rests<T: HalfClose<Below = TcpStream>, A: HalfClose<Below = ::tokio::net::TcpStream>>(
    blocking: impl Fn(TcpStream) -> T,
    asynchronous: impl Fn(::tokio::net::TcpStream) -> A,
    policy: &ClosePolicy,
    prepare: impl Fn(&TcpStream, &TcpStream),
) {
    let _namespace = Namespace::enter();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    for is_blocking in [true, false] {
        let to = listener.local_addr().expect("an address");
        let peer = TcpStream::connect(to).expect("connected");
        let (ours, _) = listener.accept().expect("a connection");
        prepare(&ours, &peer);
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (began, before) = (Instant::now(), processor_time());
        let report = if is_blocking {
            blocking(ours).close_orderly(policy)
        } else {
            ours.set_nonblocking(true).expect("a mode");
            runtime.block_on(async {
                let ours = ::tokio::net::TcpStream::from_std(ours).expect("a stream");
                close_orderly(asynchronous(ours), policy).await
            })
        };
        let (took, cost) = (began.elapsed(), processor_time().saturating_sub(before));
        let report = report.expect("a close");
        assert!(took >= WAIT, "it did not wait: {report:?}");
        assert!(cost < WAIT / 4, "blocking: {is_blocking}: {cost:?} of {took:?}: {report:?}");
        drop(peer);
    }
}

#[test]
fn for_a_peer_that_has_closed_its_side_and_does_not_read() {
    rests(Layer, Layer, &POLICY, |_, peer| peer.shutdown(Shutdown::Write).expect("its FIN"));
}

#[test]
fn for_a_peer_that_is_silent() {
    rests(|it| it, |it| it, &POLICY, |_, _| {});
    rests(|it| it, |it| it, &POLICY.remote_first(WAIT), |_, _| {});
}

#[test]
fn with_a_receiving_side_that_the_program_has_shut_down() {
    for how in [Shutdown::Read, Shutdown::Both] {
        for policy in [POLICY, POLICY.remote_first(WAIT)] {
            let shut_down =
                |ours: &TcpStream, _: &TcpStream| ours.shutdown(how).expect("shut down");
            rests(|it| it, |it| it, &policy, shut_down);
            rests(Layer, Layer, &policy, shut_down);
        }
    }
}
