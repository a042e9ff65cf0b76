//! What a server of rsh may say and do, in any order: nothing is invented, nothing that may have run is called undone, and
//! it ends when the time is over.
#![no_main]

use lastack_rsh::rcmd::course::{self, Channel, Course, Errors, Place, Terms};
use lastack_rsh::rcmd::request::Request;
use lastack_rsh::rcmd::setup::{self, Broken, SetUp};
use lastack_rsh::rcmd::wrapper::Mark;
use lastack_rsh::{Ran, Signal};
use libfuzzer_sys::fuzz_target;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(10);

fuzz_target!(|octets: &[u8]| {
    let [how, rest @ ..] = octets else { return };
    let errors = [Errors::Merged, Errors::Early, Errors::Acknowledged][usize::from(how % 3)];
    let (early, rest) = match agree(errors, rest) {
        (Some(early), rest) => (early, rest),
        (None, _) => return,
    };
    run(errors, *how, &early, rest);
});

/// Each event is an octet that says which, and what it takes.
fn agree(errors: Errors, mut events: &[u8]) -> (Option<Vec<u8>>, &[u8]) {
    let port = (errors != Errors::Merged).then_some(1000);
    let request = Request::new(b"joe", b"root", b"id").expect("a request");
    let until = Instant::now() + LIMIT;
    let mut plan = SetUp::new(port, &request, LIMIT, until);
    let whole = request.octets().len() + if port.is_some() { 5 } else { 2 };
    let mut sent = 0;
    while let (setup::Step::Await(wanted), [event, rest @ ..]) = (plan.want(), events) {
        events = rest;
        match event {
            0..=127 => {
                let count = usize::from(*event).min(wanted.send.len());
                sent += count;
                plan.handle_sent(count);
            }
            128..=223 => {
                let (piece, rest) = events.split_at(usize::from(event - 128).min(events.len()));
                events = rest;
                plan.handle_octets(piece);
            }
            224..=239 => {
                plan.handle_call(if event % 2 == 0 { 1000 } else { 2000 });
            }
            240..=244 => plan.handle_timeout(until - LIMIT),
            245 => plan.handle_stop(Signal::Interrupt),
            246 => plan.handle_broken(Broken::Reset),
            247 => plan.handle_broken(Broken::Lost("lost".into())),
            _ => plan.handle_end(),
        }
    }
    plan.handle_timeout(until);
    assert!(!matches!(plan.want(), setup::Step::Await(_)), "the time is over");
    if let Some(failure) = plan.failure() {
        let refused = matches!(failure.cause, lastack_rsh::Cause::Refused(_));
        assert!(failure.ran != Ran::No || refused || sent < whole);
        assert!(!failure.to_string().contains(char::is_control));
    }
    (plan.accepted(), events)
}

fn run(errors: Errors, how: u8, early: &[u8], mut events: &[u8]) {
    let mark = Mark::new(*b"0123456789");
    let terms = Terms {
        place: if how % 7 == 6 { Place::InSession } else { Place::Alone },
        mark: mark.clone(),
        errors,
        acknowledge: how & 8 != 0,
        half_close: how & 16 != 0,
        stdin: vec![b'i'; usize::from(how >> 5)].into(),
        limit: (how & 4 != 0).then_some(LIMIT),
        grace: LIMIT,
    };
    let mut now = Instant::now();
    let mut plan = Course::new(terms, now);
    let (mut unsent, mut came, mut output) = (usize::from(how >> 5), early.len(), Vec::new());
    plan.handle_octets(Channel::Main, early, &mut output);
    loop {
        match plan.want() {
            course::Step::HalfClose(channel) => plan.handle_half_closed(channel),
            course::Step::Signal(_) => plan.handle_signalled(),
            course::Step::Over => break,
            course::Step::Await(wanted) => {
                let [event, rest @ ..] = events else { break };
                events = rest;
                let channel = if event % 2 == 0 { Channel::Main } else { Channel::Errors };
                match event {
                    0..=99 => {
                        let (piece, rest) = events.split_at(usize::from(event / 2).min(rest.len()));
                        events = rest;
                        came += piece.len();
                        plan.handle_octets(channel, piece, &mut output);
                    }
                    100..=119 => {
                        // What no fuzzer would guess.
                        let line = format!("{mark}{}\n", event - 100);
                        came += line.len();
                        plan.handle_octets(channel, line.as_bytes(), &mut output);
                    }
                    120..=139 => {
                        let count = usize::from(event - 120).min(wanted.send.len());
                        unsent = unsent.saturating_sub(count);
                        plan.handle_sent(count);
                    }
                    140..=159 => {
                        now += Duration::from_secs(u64::from(event - 140));
                        plan.handle_timeout(now);
                    }
                    160..=179 => plan.handle_end(channel),
                    180..=199 => plan.handle_broken(channel, Broken::Reset),
                    200..=219 => plan.handle_broken(channel, Broken::Lost("lost".into())),
                    220..=229 => plan.handle_deaf(),
                    _ => plan.handle_stop(Signal::Terminate, now),
                }
            }
        }
        assert!(output.len() <= came);
    }
    plan.handle_stop(Signal::Terminate, now);
    for _ in 0..3 {
        now += LIMIT;
        plan.handle_timeout(now);
        while let course::Step::Signal(_) = plan.want() {
            plan.handle_signalled();
        }
    }
    assert_eq!(plan.want(), course::Step::Over);
    let over = plan.finish(&mut output);
    assert!(output.len() <= came);
    let is_undone = over.result.is_err_and(|failure| failure.ran == Ran::No);
    assert!(!is_undone || how % 7 == 6 && unsent > 0);
}
