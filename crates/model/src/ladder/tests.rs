//! Ladders of every kind: stories, and what a capture may give.

use super::scenario::{OnKernel, Plot, SCENARIOS, Scenario, find};
use super::stage::{Stage, Start, Step};
use super::*;
use crate::draw::canvas::Strokes;
use crate::draw::svg::well_formed::assert_well_formed;
use crate::tcp::profile::Profile;
use crate::tcp::segment::Control;
use crate::tcp::seq::SeqNumber;
use crate::tcp::transition::{Drawn, TRANSITIONS, Transition};
use proptest::prelude::*;

fn played(name: &str) -> Ladder {
    find(name).and_then(Scenario::ladder).unwrap_or_else(|| panic!("no {name}"))
}

fn last(ladder: &Ladder) -> [Option<State>; 2] {
    ladder.states_before(ladder.events.len()).map(Known::state)
}

fn passed_through(ladder: &Ladder, side: Side) -> Vec<State> {
    let states = ladder.events.iter().filter_map(|event| event.states[index(side)].state());
    let mut states: Vec<State> =
        ladder.start[index(side)].state().into_iter().chain(states).collect();
    states.dedup();
    states
}

#[test]
fn every_scenario_can_be_played_and_drawn() {
    for scenario in &SCENARIOS {
        let ladder = scenario.ladder().unwrap_or_else(|| panic!("{} is not found", scenario.name));
        let text = text::ladder(&ladder).to_text(Strokes::Box);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text::ladder(&ladder).to_text(Strokes::Ascii).is_ascii());
        assert_well_formed(&svg::svg(&ladder));
        assert_well_formed(&plot::svg(&ladder));
        assert!(sequence::mermaid(&ladder).starts_with("sequenceDiagram\n"));
        let same = SCENARIOS.iter().filter(|other| other.name == scenario.name);
        assert_eq!(same.count(), 1, "{}", scenario.name);
    }
}

/// They wait for a timer that does not run.
const IN_VAIN: [&str; 2] = ["peer-vanishes-while-idle", "half-closed-and-held-waits-for-ever"];

#[test]
fn no_step_of_a_script_comes_to_nothing() {
    for scenario in &SCENARIOS {
        let Plot::Script(start, steps) = scenario.plot else { continue };
        for left_out in 0..steps.len() {
            // What stands there to show that nothing happens.
            let waits = matches!(steps[left_out], Step::Timeout(Side::A, _));
            if waits && IN_VAIN.contains(&scenario.name) {
                continue;
            }
            let play = |steps: &mut dyn Iterator<Item = &Step>| {
                let mut stage = Stage::new(scenario.profile, start, 1000);
                steps.for_each(|step| stage.play(*step));
                stage.into_ladder("", "", ["", ""])
            };
            let whole = play(&mut steps.iter());
            let others = steps.iter().enumerate().filter(|(at, _)| *at != left_out);
            let part = play(&mut others.map(|(_, step)| step));
            assert_ne!(whole.events, part.events, "{}, step {left_out}", scenario.name);
        }
    }
}

#[test]
fn stories_lead_where_their_titles_say() {
    use State::{CloseWait, Closed, Closing, Established, FinWait1, FinWait2, LastAck, TimeWait};
    for (name, a, b) in [
        (
            "local-close-then-remote-close",
            &[Established, FinWait1, FinWait2, TimeWait, Closed][..],
            &[Established, CloseWait, LastAck, Closed][..],
        ),
        (
            "both-close-at-once",
            &[Established, FinWait1, Closing, TimeWait, Closed],
            &[Established, FinWait1, Closing, TimeWait, Closed],
        ),
        (
            "fin-carries-the-ack",
            &[Established, FinWait1, TimeWait, Closed],
            &[Established, CloseWait, LastAck, Closed],
        ),
        ("reset-by-abort", &[Established, Closed], &[Established, Closed]),
        ("reset-by-unread-data", &[Established, Closed], &[Established, Closed]),
        (
            "data-after-close",
            &[Established, FinWait1, FinWait2, Closed],
            &[Established, CloseWait, Closed],
        ),
        ("peer-vanishes-while-idle", &[Established], &[Established]),
    ] {
        let ladder = played(name);
        assert_eq!(passed_through(&ladder, Side::A), a, "{name}");
        assert_eq!(passed_through(&ladder, Side::B), b, "{name}");
    }
}

#[test]
fn every_arc_of_the_figure_is_taken_by_some_story() {
    let ladders: Vec<Ladder> = SCENARIOS.iter().filter_map(Scenario::ladder).collect();
    let is_taken = |row: &Transition| {
        ladders.iter().any(|ladder| {
            [Side::A, Side::B].into_iter().any(|side| {
                let path = passed_through(ladder, side);
                path.windows(2).any(|pair| pair == [row.from, row.to])
            })
        })
    };
    let drawn = TRANSITIONS.iter().filter(|row| row.drawn == Drawn::Yes);
    let missing: Vec<_> = drawn.filter(|row| !is_taken(row)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn there_are_forty_stories_that_a_kernel_can_play() {
    let plays = |story: &&Scenario| story.on_kernel == OnKernel::Plays;
    assert!(SCENARIOS.iter().filter(plays).count() >= 40);
    let unscripted = |story: &&Scenario| matches!(story.plot, Plot::Search(_));
    assert!(!SCENARIOS.iter().filter(unscripted).any(|story| plays(&story)));
}

#[test]
fn the_search_finds_the_story_of_rfc_1337() {
    let ladder = played("time-wait-assassination");
    assert_eq!(last(&ladder), [Some(State::Established), Some(State::CloseWait)]);
    let reset = ladder.events.iter().position(
        |event| matches!(event.what, What::Arrived(flight) if flight.segment.has(Control::RST)),
    );
    let before = ladder.states_before(reset.expect("a reset"));
    assert_eq!(before[0], Known::Observed(State::TimeWait), "it is what ends the wait");
    let old_fin = ladder.events.iter().rev().find_map(|event| match event.what {
        What::Arrived(flight) => Some(flight),
        _ => None,
    });
    let old_fin = old_fin.expect("an arrival");
    assert!(old_fin.segment.has(Control::FIN) && old_fin.incarnation == Some(1), "{old_fin:?}");
}

#[test]
fn a_repeated_fin_starts_the_wait_anew_and_the_plot_marks_it() {
    let plot = plot::svg(&played("last-ack-lost"));
    for mark in ["TIME_WAIT starts", "starts anew", ">ends<", ">FIN<", ">FIN again<"] {
        assert!(plot.contains(mark), "{mark}");
    }
    assert!(plot::svg(&played("reset-by-abort")).contains(">RST<"));
}

fn segment(control: Control, seq: u32, ack: Option<u32>) -> Segment {
    Segment::new(SeqNumber(seq), ack.map(SeqNumber), control)
}

#[test]
fn what_a_capture_did_not_see_is_drawn_as_unknown() {
    let flight = |id, from, control, seq| Flight {
        id,
        from,
        segment: segment(control, seq, Some(7)),
        incarnation: None,
        make: Make::Original,
    };
    let fin = flight(1, Side::A, Control::FIN, 5);
    let event = |what, states| Event { at: None, what, states };
    let inferred = [Known::Inferred(State::FinWait1), Known::Unknown];
    let ladder = Ladder {
        name: "a-capture".into(),
        title: "One direction of a connection.".into(),
        ends: ["10.0.0.1:40000".into(), "10.0.0.2:80".into()],
        view: View::OnlyFrom(Side::A),
        start: [Known::Inferred(State::Established), Known::Unknown],
        events: vec![
            event(What::Sent(fin), inferred),
            event(What::Arrived(flight(2, Side::B, Control::NONE, 7)), inferred),
        ],
    };
    let text = text::ladder(&ladder).to_text(Strokes::Ascii);
    let expected = [
        "        10.0.0.1:40000                                     10.0.0.2:80",
        " (ESTABLISHED) |                                                | ?",
        "  (FIN_WAIT_1) +------------- FIN,ACK seq 5 ack 7 -----> ?      |",
        "               |<-------------- ACK seq 7 ack 7 ---------- ?    |",
        "               |   (only what 10.0.0.1:40000 sent was seen)     |",
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), expected, "{text}");
    let svg = svg::svg(&ladder);
    assert_well_formed(&svg);
    assert!(svg.contains("(FIN_WAIT_1)") && svg.contains("only what 10.0.0.1:40000 sent was seen"));
    assert!(sequence::mermaid(&ladder).contains("(not seen to arrive)"));
    assert!(sequence::mermaid(&ladder).contains("(sending not seen)"));
}

fn any_side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::A), Just(Side::B)]
}

fn any_state() -> impl Strategy<Value = Known<State>> {
    prop_oneof![
        Just(Known::Unknown),
        proptest::sample::select(State::ALL.to_vec()).prop_map(Known::Observed),
        proptest::sample::select(State::ALL.to_vec()).prop_map(Known::Inferred),
    ]
}

fn any_flight() -> impl Strategy<Value = Flight> {
    let make = prop_oneof![Just(Make::Original), Just(Make::Repeated), Just(Make::Doubled)];
    let numbers = (0_u8..8, any::<u32>(), any::<Option<u32>>(), any::<u32>());
    (0_u32..6, any_side(), numbers, any::<Option<u8>>(), make).prop_map(
        |(id, from, (control, seq, ack, length), incarnation, make)| Flight {
            id,
            from,
            segment: Segment { length, ..segment(Control::from_bits(control), seq, ack) },
            incarnation,
            make,
        },
    )
}

fn any_event() -> impl Strategy<Value = Event> {
    let wait = prop_oneof![Just(WaitMark::Starts), Just(WaitMark::Restarts), Just(WaitMark::Ends)];
    let what = prop_oneof![
        (any_side(), any::<u32>()).prop_map(|(side, n)| What::Call(side, Call::Write(n))),
        any_side().prop_map(|side| What::Timer(side, Timer::GiveUp)),
        any_side().prop_map(|side| What::Told(side, Report::TimedOut)),
        (any_side(), wait).prop_map(|(side, mark)| What::Wait(side, mark)),
        any_side().prop_map(What::Gone),
        any_flight().prop_map(What::Sent),
        any_flight().prop_map(What::Sent),
        any_flight().prop_map(What::Arrived),
        any_flight().prop_map(What::Arrived),
        any_flight().prop_map(What::Lost),
        any::<String>().prop_map(What::Note),
    ];
    let at = any::<Option<u64>>().prop_map(|at| at.map(Moment));
    (at, what, any_state(), any_state()).prop_map(|(at, what, one, other)| Event {
        at,
        what,
        states: [one, other],
    })
}

fn any_ladder() -> impl Strategy<Value = Ladder> {
    let view = prop_oneof![Just(View::Both), any_side().prop_map(View::OnlyFrom)];
    let names = (any::<String>(), any::<String>(), any::<String>(), any::<String>());
    let events = prop::collection::vec(any_event(), 0..24);
    (names, view, any_state(), any_state(), events).prop_map(
        |((name, title, one_end, other_end), view, one, other, events)| Ladder {
            name,
            title,
            ends: [one_end, other_end],
            view,
            start: [one, other],
            events,
        },
    )
}

fn any_step() -> impl Strategy<Value = Step> {
    let call = proptest::sample::select(vec![
        Call::Connect,
        Call::Listen,
        Call::Write(100),
        Call::Read,
        Call::Shutdown,
        Call::Close,
        Call::Abort,
    ]);
    let timer = proptest::sample::select(vec![
        Timer::Retransmit,
        Timer::GiveUp,
        Timer::FinWait2,
        Timer::TimeWait,
    ]);
    prop_oneof![
        (any_side(), call).prop_map(|(side, call)| Step::Call(side, call)),
        (any_side(), timer).prop_map(|(side, timer)| Step::Timeout(side, timer)),
        any_side().prop_map(Step::Arrives),
        any_side().prop_map(Step::Arrives),
        any_side().prop_map(Step::Overtakes),
        any_side().prop_map(Step::Lost),
        any_side().prop_map(Step::Doubled),
        any_side().prop_map(Step::Gone),
        any_side().prop_map(Step::Back),
    ]
}

fn draw_all(ladder: &Ladder) {
    assert_well_formed(&svg::svg(ladder));
    assert_well_formed(&plot::svg(ladder));
    let text = text::ladder(ladder).to_text(Strokes::Ascii);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    for line in sequence::mermaid(ladder).lines().skip(1) {
        assert!(line.starts_with("    ") && !line.contains([';', '#']), "{line}");
    }
    assert!(!text::list(ladder).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_ladder_is_too_odd_to_be_drawn(ladder in any_ladder()) {
        draw_all(&ladder);
    }

    #[test]
    fn every_script_can_be_played_and_drawn(
        steps in prop::collection::vec(any_step(), 0..30),
        is_open: bool,
    ) {
        let start = if is_open { Start::Connected } else { Start::Closed };
        let mut stage = Stage::new(Profile::LINUX, start, 1000);
        for step in steps {
            stage.play(step);
        }
        draw_all(&stage.into_ladder("any", "Any story.", ["A", "B"]));
    }
}
