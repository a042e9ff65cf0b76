use super::*;
use crate::{Ran, Report};
use lastack_model::truth::Truth;
use proptest::prelude::*;
use std::collections::VecDeque;

const LIMIT: Duration = Duration::from_secs(30);
const GRACE: Duration = Duration::from_secs(5);

fn mark() -> Mark {
    Mark::new([7; 10])
}

fn terms(errors: Errors) -> Terms {
    Terms {
        place: Place::Alone,
        mark: mark(),
        errors,
        acknowledge: errors == Errors::Acknowledged,
        half_close: false,
        stdin: Arc::from([]),
        limit: Some(LIMIT),
        grace: GRACE,
    }
}

/// A course, a clock, and what was done.
struct Played {
    course: Course,
    now: Instant,
    output: Vec<u8>,
    /// What was sent and done, in order: `<text>`, `fin main`, `fin errors`, `signal 15`.
    done: VecDeque<String>,
}

impl Played {
    fn begin(terms: Terms) -> Self {
        let now = Instant::now();
        let course = Course::new(terms, now);
        let mut it = Self { course, now, output: Vec::new(), done: VecDeque::new() };
        it.act();
        it
    }

    fn act(&mut self) {
        loop {
            match self.course.want() {
                Step::HalfClose(channel) => {
                    self.done.push_back(format!("fin {channel:?}"));
                    self.course.handle_half_closed(channel);
                }
                Step::Signal(signal) => {
                    self.done.push_back(format!("signal {}", signal.number()));
                    self.course.handle_signalled();
                }
                Step::Await(Await { send: [], .. }) | Step::Over => break,
                Step::Await(Await { send, .. }) => {
                    self.done.push_back(String::from_utf8_lossy(send).into_owned());
                    let length = send.len();
                    self.course.handle_sent(length);
                }
            }
        }
    }

    fn main(&mut self, octets: &str) -> &mut Self {
        self.course.handle_octets(Channel::Main, octets.as_bytes(), &mut self.output);
        self.act();
        self
    }

    fn end(&mut self, channel: Channel) -> &mut Self {
        self.course.handle_end(channel);
        self.act();
        self
    }

    fn broken(&mut self, channel: Channel, broken: Broken) -> &mut Self {
        self.course.handle_broken(channel, broken);
        self.act();
        self
    }

    fn pass(&mut self, time: Duration) -> &mut Self {
        self.now += time;
        self.course.handle_timeout(self.now);
        self.act();
        self
    }

    fn over(mut self) -> Over {
        assert_eq!(self.course.want(), Step::Over);
        self.course.finish(&mut self.output)
    }

    fn done(&mut self) -> Vec<String> {
        self.done.drain(..).collect()
    }
}

fn status(number: u8) -> String {
    format!("{}{number}\n", mark())
}

fn ran(over: &Over) -> Ran {
    over.result.as_ref().expect_err("no status").ran
}

#[test]
fn merged_the_remote_side_closes_first_and_nothing_is_sent() {
    let mut it = Played::begin(terms(Errors::Merged));
    it.main("out").main(&status(7)).end(Channel::Main);
    assert_eq!((it.done(), &it.output[..]), (vec![], &b"out"[..]));
    let over = it.over();
    assert_eq!((over.result, over.notes, over.main), (Ok(7), vec![], Parting::Orderly));
}

#[test]
fn early_nothing_is_ever_sent_on_the_connection_for_errors() {
    let mut it = Played::begin(terms(Errors::Early));
    it.main(&status(0)).end(Channel::Main);
    assert_eq!(it.done(), Vec::<String>::new());
    assert!(matches!(
        it.course.want(),
        Step::Await(Await { read_main: false, read_errors: true, .. })
    ));
    it.end(Channel::Errors);
    assert_eq!(it.over().result, Ok(0));
}

#[test]
fn acknowledged_the_mark_is_answered_by_a_fin_and_then_a_line() {
    let mut it = Played::begin(terms(Errors::Acknowledged));
    assert_eq!(it.done(), Vec::<String>::new());
    it.main(&status(3));
    assert_eq!(it.done(), ["fin Errors", "\n"]);
    it.end(Channel::Errors).end(Channel::Main);
    assert_eq!(it.done(), Vec::<String>::new());
    let over = it.over();
    assert_eq!((over.result, over.main, over.errors), (Ok(3), Parting::Orderly, Parting::Orderly));
}

#[test]
fn input_goes_first_and_a_half_close_only_where_asked_for() {
    let with_stdin = |half_close, acknowledge| Terms {
        stdin: Arc::from(*b"input"),
        half_close,
        acknowledge,
        ..terms(Errors::Acknowledged)
    };
    assert_eq!(Played::begin(with_stdin(true, false)).done(), ["input", "fin Main"]);
    let mut it = Played::begin(with_stdin(false, true));
    it.main(&status(0));
    assert_eq!(it.done(), ["input", "fin Errors", "\n"]);
}

#[test]
fn a_deadline_is_a_signal_then_a_kill_then_a_reset() {
    let mut it = Played::begin(terms(Errors::Acknowledged));
    it.pass(LIMIT);
    assert_eq!(it.done(), ["signal 15"]);
    it.pass(GRACE);
    assert_eq!(it.done(), ["signal 9", "fin Errors"]);
    it.pass(GRACE);
    let over = it.over();
    assert_eq!((over.main, over.errors), (Parting::Reset, Parting::Reset));
    assert_eq!(ran(&over), Ran::Yes { ended: Truth::Unknown });
    assert_eq!(over.result.unwrap_err().cause, Cause::TimedOut(LIMIT));
}

#[test]
fn a_command_that_obeys_the_signal_has_ended() {
    let mut it = Played::begin(terms(Errors::Acknowledged));
    it.pass(LIMIT).end(Channel::Main).end(Channel::Errors);
    let over = it.over();
    assert_eq!((ran(&over), over.main), (Ran::Yes { ended: Truth::Yes }, Parting::Orderly));
    // One that answers it with a trap says how.
    let mut it = Played::begin(terms(Errors::Acknowledged));
    it.course.handle_stop(Signal::Interrupt, it.now);
    it.act();
    it.main(&status(9));
    assert_eq!(it.done(), ["signal 2", "fin Errors", "\n"]);
    it.end(Channel::Main).end(Channel::Errors);
    let over = it.over();
    assert_eq!(over.notes, ["its exit status was 9"]);
    assert_eq!(over.result.unwrap_err().cause, Cause::Stopped(Signal::Interrupt));
}

#[test]
fn without_a_way_for_signals_a_deadline_is_a_reset_and_says_so() {
    for errors in [Errors::Merged, Errors::Early] {
        let mut it = Played::begin(terms(errors));
        it.pass(LIMIT);
        let over = it.over();
        assert_eq!(over.main, Parting::Reset);
        assert_eq!(ran(&over), Ran::Yes { ended: Truth::Unknown });
        assert!(over.notes[0].starts_with("no signal could be sent"), "{:?}", over.notes);
    }
}

#[test]
fn what_is_over_at_once_leaves_time_to_take_its_output() {
    for errors in [Errors::Merged, Errors::Early, Errors::Acknowledged] {
        let mut it = Played::begin(Terms { limit: None, ..terms(errors) });
        if errors == Errors::Acknowledged {
            it.main(&status(0));
        }
        assert_eq!(it.course.until(), None);
        it.course.handle_stop(Signal::Interrupt, it.now);
        assert_eq!(it.course.want(), Step::Over);
        assert_eq!(it.course.until(), it.now.checked_add(GRACE));
    }
}

#[test]
fn what_is_left_behind_is_waited_for_and_never_signalled() {
    let mut it = Played::begin(terms(Errors::Acknowledged));
    it.main(&status(0)).main("late").pass(LIMIT);
    assert_eq!(it.done(), ["fin Errors", "\n"]);
    assert_eq!(it.output, b"late");
    let over = it.over();
    assert_eq!((over.result, over.notes.len(), over.main), (Ok(0), 2, Parting::Reset));
}

#[test]
fn a_connection_that_breaks_is_told_from_one_that_ends() {
    let mut it = Played::begin(terms(Errors::Acknowledged));
    it.broken(Channel::Main, Broken::Reset);
    let over = it.over();
    assert_eq!(ran(&over), Ran::Perhaps);
    assert_eq!((over.result.unwrap_err().cause, over.main), (Cause::Reset, Parting::Gone));

    let mut it = Played::begin(terms(Errors::Acknowledged));
    it.main("x").broken(Channel::Errors, Broken::Lost("no sign of life".into()));
    let over = it.over();
    assert_eq!(ran(&over), Ran::Yes { ended: Truth::Unknown });
    assert_eq!((over.main, over.errors), (Parting::Reset, Parting::Gone));

    let mut it = Played::begin(terms(Errors::Merged));
    it.main(&status(4)).broken(Channel::Main, Broken::Reset);
    let over = it.over();
    assert_eq!((over.result, over.notes.len()), (Ok(4), 1));

    let mut it = Played::begin(terms(Errors::Merged));
    it.main("half a mark: ").main("mark.07").end(Channel::Main);
    let mut output = Vec::new();
    let over = it.course.finish(&mut output);
    assert_eq!((&output[..], over.result.unwrap_err().cause), (&b"mark.07"[..], Cause::NoStatus));
}

#[test]
fn a_server_that_takes_no_more_is_read_to_its_end() {
    let mut it = Played::begin(Terms { stdin: Arc::from(*b"in"), ..terms(Errors::Merged) });
    it.course.handle_deaf();
    it.main("out").main(&status(1)).end(Channel::Main);
    let over = it.over();
    assert_eq!((over.result, over.main), (Ok(1), Parting::Gone));
}

fn in_session(errors: Errors) -> Terms {
    let stdin = Arc::from(*b"a line\n");
    Terms { place: Place::InSession, acknowledge: false, stdin, ..terms(errors) }
}

#[test]
fn in_a_session_a_command_is_over_when_its_mark_has_come_on_both() {
    let mut it = Played::begin(in_session(Errors::Acknowledged));
    it.main("out").main(&status(5));
    assert!(matches!(it.course.want(), Step::Await(_)), "its errors may still come");
    it.course.handle_octets(Channel::Errors, b"err", &mut it.output);
    it.course.handle_octets(Channel::Errors, status(5).as_bytes(), &mut it.output);
    assert_eq!((it.done(), &it.output[..]), (vec!["a line\n".into()], &b"outerr"[..]));
    let over = it.over();
    assert_eq!((over.result, over.notes, over.stays), (Ok(5), vec![], true));
    let mut it = Played::begin(in_session(Errors::Merged));
    it.main(&status(6));
    assert!(it.over().stays);
}

#[test]
fn a_command_that_takes_its_session_along_says_so_and_one_that_was_not_sent_did_not_run() {
    let mut it = Played::begin(in_session(Errors::Merged));
    it.end(Channel::Main);
    let over = it.over();
    assert_eq!((ran(&over), over.stays, over.notes.len()), (Ran::Perhaps, false, 1));
    let mut course = Course::new(in_session(Errors::Merged), Instant::now());
    course.handle_sent(3);
    course.handle_end(Channel::Main);
    assert_eq!(ran(&course.finish(&mut Vec::new())), Ran::No);
    let mut it = Played::begin(in_session(Errors::Acknowledged));
    it.pass(LIMIT).pass(GRACE).pass(GRACE);
    assert_eq!(it.done(), ["a line\n", "signal 15", "signal 9", "fin Errors"]);
    assert!(!it.over().stays);
}

#[derive(Clone, Debug)]
enum Event {
    Octets(Channel, Vec<u8>),
    End(Channel),
    Reset(Channel),
    Lost(Channel),
    Sent(usize),
    Deaf,
    Stop(Signal),
    Pass(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let channel = || prop_oneof![3 => Just(Channel::Main), 1 => Just(Channel::Errors)];
    let octets = prop_oneof![
        Just(mark().octets().to_vec()),
        any::<u8>().prop_map(|number| status(number).into_bytes()),
        proptest::collection::vec(any::<u8>(), 0..5),
    ];
    let signal = prop_oneof![Just(Signal::Interrupt), Just(Signal::Terminate), Just(Signal::Kill)];
    prop_oneof![
        6 => (channel(), octets).prop_map(|(channel, octets)| Event::Octets(channel, octets)),
        1 => channel().prop_map(Event::End),
        1 => channel().prop_map(Event::Reset),
        1 => channel().prop_map(Event::Lost),
        4 => (0..5_usize).prop_map(Event::Sent),
        1 => Just(Event::Deaf),
        1 => signal.prop_map(Event::Stop),
        2 => (0..20_u64).prop_map(Event::Pass),
    ]
}

fn any_terms() -> impl Strategy<Value = Terms> {
    let errors = prop_oneof![Just(Errors::Merged), Just(Errors::Early), Just(Errors::Acknowledged)];
    let place = prop_oneof![Just(Place::Alone), Just(Place::InSession)];
    (errors, place, any::<[bool; 3]>(), 0..6_usize).prop_map(
        |(errors, place, [acknowledge, half_close, limited], length)| {
            let is_odd = place == Place::InSession && errors == Errors::Early;
            Terms {
                place,
                acknowledge,
                half_close,
                stdin: vec![b'i'; length].into(),
                limit: limited.then_some(LIMIT),
                ..terms(if is_odd { Errors::Acknowledged } else { errors })
            }
        },
    )
}

proptest! {
    #[test]
    fn in_whatever_order_things_happen_no_octet_is_invented_no_signal_misplaced_and_it_ends(
        terms in any_terms(),
        events in proptest::collection::vec(event(), 0..30),
    ) {
        let (errors, stdin) = (terms.errors, terms.stdin.len());
        let mut now = Instant::now();
        let mut course = Course::new(terms, now);
        let (mut came, mut sent, mut output, mut sealed) = (0, 0, Vec::new(), [false; 2]);
        for event in events {
            loop {
                match course.want() {
                    Step::HalfClose(channel) => {
                        prop_assert!(!std::mem::replace(&mut sealed[channel as usize], true), "twice");
                        prop_assert!(channel == Channel::Main || errors == Errors::Acknowledged);
                        course.handle_half_closed(channel);
                    }
                    Step::Signal(_) => {
                        prop_assert!(errors == Errors::Acknowledged && !sealed[1]);
                        course.handle_signalled();
                    }
                    Step::Await(_) | Step::Over => break,
                }
            }
            let Step::Await(wanted) = course.want() else { break };
            prop_assert!(wanted.read_main || wanted.read_errors, "it waits for nothing");
            let is_read = |channel| match channel {
                Channel::Main => wanted.read_main,
                Channel::Errors => wanted.read_errors,
            };
            match event {
                Event::Octets(channel, octets) if is_read(channel) => {
                    came += octets.len();
                    course.handle_octets(channel, &octets, &mut output);
                }
                Event::End(channel) if is_read(channel) => course.handle_end(channel),
                Event::Reset(channel) if is_read(channel) => course.handle_broken(channel, Broken::Reset),
                Event::Lost(channel) if is_read(channel) => {
                    course.handle_broken(channel, Broken::Lost("lost".into()));
                }
                Event::Sent(octets) => {
                    let octets = octets.min(wanted.send.len());
                    sent += octets;
                    course.handle_sent(octets);
                }
                Event::Deaf => course.handle_deaf(),
                Event::Stop(signal) => course.handle_stop(signal, now),
                Event::Pass(seconds) => {
                    now += Duration::from_secs(seconds);
                    course.handle_timeout(now);
                }
                Event::Octets(..) | Event::End(_) | Event::Reset(_) | Event::Lost(_) => {}
            }
            prop_assert!(output.len() <= came && sent <= stdin + 1);
        }
        let is_unsent = sent < stdin;
        course.handle_stop(Signal::Terminate, now);
        for _ in 0..3 {
            now += LIMIT;
            course.handle_timeout(now);
            while let Step::Signal(_) = course.want() {
                course.handle_signalled();
            }
        }
        prop_assert_eq!(course.want(), Step::Over);
        let over = course.finish(&mut output);
        prop_assert!(output.len() <= came);
        let report = Report { result: over.result, elapsed: Duration::ZERO, notes: over.notes };
        prop_assert!(report.result.map_or_else(|failure| is_unsent || !failure.may_be_retried(), |_| true));
    }
}
