//! Ends whose timers run.

use super::*;
use proptest::prelude::*;

const WINDOW: u32 = 65_535;
const NOTHING: SeqNumber = SeqNumber(0);

/// An end whose connection a listener made, with the handshake behind it.
fn established(profile: Profile) -> Endpoint {
    let mut end = Endpoint::new(profile, WINDOW);
    end.listen();
    let syn = Segment::new(SeqNumber(0), None, Control::SYN);
    end.handle_segment(Moment(0), &syn, SeqNumber(100));
    arrive(&mut end, Moment(0), Control::NONE, 1, 101);
    while end.poll_transmit().is_some() {}
    end
}

fn arrive(end: &mut Endpoint, now: Moment, control: Control, seq: u32, ack: u32) {
    let segment = Segment::new(SeqNumber(seq), Some(SeqNumber(ack)), control);
    end.handle_segment(now, &segment, NOTHING);
}

/// Sleeps until something is due, and does it.
fn sleep(end: &mut Endpoint) -> Moment {
    let now = end.next_timeout().expect("something that will happen");
    end.handle_timeout(now);
    now
}

#[test]
fn a_fin_is_sent_again_at_growing_intervals_until_an_orphan_gives_up() {
    let mut end = established(Profile::LINUX);
    end.close(Moment(0));
    let mut sent = vec![Moment(0)];
    while end.tcb.state != State::Closed {
        assert!(end.poll_transmit().is_none_or(|segment| segment.has(Control::FIN)));
        sent.push(sleep(&mut end));
    }
    let gaps: Vec<u64> = sent.windows(2).map(|pair| (pair[1].0 - pair[0].0) / 1000).collect();
    assert_eq!(gaps[..4], [200, 400, 800, 1600]);
    assert_eq!(end.poll_report(), Some(Report::Connected));
    assert_eq!(end.poll_report(), Some(Report::TimedOut));
}

#[test]
fn an_orphan_in_fin_wait_2_lasts_as_long_as_its_program_asked() {
    let mut end = established(Profile::LINUX);
    let fin_wait_2 = FinWait2Wish::For(Moment::of_secs(1));
    end.wish(Moment(0), Wishes { fin_wait_2, ..Wishes::default() });
    end.close(Moment(0));
    arrive(&mut end, Moment(5), Control::NONE, 1, 102);
    assert_eq!(end.tcb.state, State::FinWait2);
    assert_eq!(sleep(&mut end), Moment::of_secs(1) + Moment(5));
    assert_eq!(end.tcb.state, State::Closed);
}

#[test]
fn an_orphan_that_wants_no_fin_wait_2_ends_at_the_acknowledgement() {
    let mut end = established(Profile::LINUX);
    end.wish(Moment(0), Wishes { fin_wait_2: FinWait2Wish::Never, ..Wishes::default() });
    end.close(Moment(0));
    arrive(&mut end, Moment(5), Control::NONE, 1, 102);
    assert_eq!(end.tcb.state, State::Closed);
    let mut end = established(Profile::LINUX);
    end.wish(Moment(0), Wishes { fin_wait_2: FinWait2Wish::Never, ..Wishes::default() });
    end.shutdown(Moment(0));
    arrive(&mut end, Moment(5), Control::NONE, 1, 102);
    assert_eq!(end.tcb.state, State::FinWait2);
    end.close(Moment(6));
    let sent: Vec<Segment> = std::iter::from_fn(|| end.poll_transmit()).collect();
    assert!(sent.last().is_some_and(|last| last.has(Control::RST)), "{sent:?}");
}

#[test]
fn time_wait_starts_anew_with_a_repeated_fin() {
    let mut end = established(Profile::LINUX);
    end.close(Moment(0));
    arrive(&mut end, Moment(0), Control::FIN, 1, 102);
    assert_eq!(end.tcb.state, State::TimeWait);
    arrive(&mut end, Moment::of_secs(10), Control::FIN, 1, 102);
    assert_eq!(sleep(&mut end), Moment::of_secs(70));
    assert_eq!(end.tcb.state, State::Closed);
}

#[test]
fn a_peer_that_answers_no_question_is_given_up() {
    let mut end = established(Profile::LINUX);
    let second = Moment::of_secs(1);
    let keepalive = Keepalive { idle: second.times(10), interval: second, count: 2 };
    end.wish(Moment(0), Wishes { keeps_alive: true, keepalive, ..Wishes::default() });
    assert_eq!(sleep(&mut end), second.times(10));
    assert_eq!(end.poll_transmit().map(|probe| probe.seq), Some(SeqNumber(100)));
    assert_eq!(sleep(&mut end), second.times(11));
    assert_eq!(sleep(&mut end), second.times(12));
    assert_eq!(end.tcb.state, State::Closed);
}

#[test]
fn a_user_timeout_ends_waiting_for_an_acknowledgement() {
    let mut end = established(Profile::LINUX);
    let user_timeout = Some(Moment::of_secs(3));
    end.wish(Moment(0), Wishes { user_timeout, ..Wishes::default() });
    end.send(Moment(0), 10);
    while end.tcb.state != State::Closed {
        assert!(sleep(&mut end) <= Moment::of_secs(3));
    }
}

/// Something that happens to an end.
#[derive(Clone, Debug)]
enum Happening {
    Arrives(Segment),
    Send(u32),
    Shutdown,
    Close,
    Abort,
    Read,
    Sleep,
}

fn any_happening() -> impl Strategy<Value = Happening> {
    let number = || prop_oneof![0_u32..4, 99_u32..105, Just(WINDOW), Just(u32::MAX)];
    let length = prop_oneof![Just(0_u32), Just(1), Just(1000), Just(u32::MAX)];
    let segment = (number(), prop::option::of(number()), 0_u8..8, length).prop_map(
        |(seq, ack, control, length)| {
            let control = Control::from_bits(control);
            let ack = ack.map(SeqNumber);
            Happening::Arrives(Segment { length, ..Segment::new(SeqNumber(seq), ack, control) })
        },
    );
    prop_oneof![
        4 => segment,
        1 => (0_u32..2000).prop_map(Happening::Send),
        1 => Just(Happening::Shutdown),
        1 => Just(Happening::Close),
        1 => Just(Happening::Abort),
        1 => Just(Happening::Read),
        2 => Just(Happening::Sleep),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_every_end_that_waits_is_woken(
        happenings in prop::collection::vec(any_happening(), 0..30),
        open in prop::bool::ANY,
    ) {
        for profile in Profile::ALL {
            let mut end = if open { established(profile) } else { Endpoint::new(profile, WINDOW) };
            if !open {
                end.open(Moment(0), SeqNumber(100));
            }
            let mut now = Moment(0);
            for happening in &happenings {
                match happening {
                    Happening::Arrives(segment) => end.handle_segment(now, segment, SeqNumber(7)),
                    Happening::Send(octets) => end.send(now, *octets),
                    Happening::Shutdown => end.shutdown(now),
                    Happening::Close => end.close(now),
                    Happening::Abort => end.abort(now),
                    Happening::Read => end.tcb.read(),
                    Happening::Sleep => {
                        now = end.next_timeout().unwrap_or(now);
                        end.handle_timeout(now);
                    }
                }
                // What it owes or waits for, it is woken for.
                let waits = end.tcb.outstanding() > 0 || end.tcb.state == State::TimeWait;
                prop_assert!(!waits || end.next_timeout().is_some(), "{:?}", end.tcb);
                prop_assert!(end.tcb.state != State::Closed || end.next_timeout().is_none());
            }
        }
    }
}
