//! What smoltcp 0.14 does wrong when connections end: found by the search, then kept as the shortest story.
//!
//! Each test asserts that the defect is there. When one fails after an update of smoltcp, the defect is mended: see
//! `MENDED`.

use crate::stack::Stack;
use crate::theirs::Smoltcp;
use crate::walk::{Action, Fault, Telling, play};
use crate::{least, numbered, seed, shows, told};
use lastack_model::figure::pairs::Pairs;
use lastack_model::state::State;
use lastack_model::tcp::endpoint::Endpoint;
use lastack_model::tcp::world::Side::{A, B};
use std::collections::BTreeSet;

/// An end whose FIN is not acknowledged, and who waits for nothing.
fn is_unrepeated_fin(_: &[Action], fault: Fault) -> bool {
    let owes = |state| matches!(state, State::FinWait1 | State::Closing | State::LastAck);
    matches!(fault, Fault::Stuck(a, b) if owes(a) || owes(b))
}

fn is_ignored_fin(_: &[Action], fault: Fault) -> bool {
    matches!(fault, Fault::FinIgnored(_))
}

/// One end is gone and the other still awaits its FIN, though nobody aborted. After an abort that would be no defect:
/// the reset may be lost, and by the RFC `FIN_WAIT_2` has no timer.
fn is_unsent_fin(actions: &[Action], fault: Fault) -> bool {
    let aborted = actions.iter().any(|action| matches!(action, Action::Abort(_)));
    let stuck = [(State::FinWait2, State::Closed), (State::Closed, State::FinWait2)];
    !aborted && matches!(fault, Fault::Stuck(a, b) if stuck.contains(&(a, b)))
}

/// Searches smoltcp's walks for a fault, and tells the least story of the first one.
fn search(is_it: impl Fn(&[Action], Fault) -> bool) -> Vec<Action> {
    let found = (0..WALKS).find(|walk| shows::<Smoltcp>(&numbered(*walk), &is_it));
    let walk = found.unwrap_or_else(|| panic!("nothing in {WALKS} walks. {MENDED}"));
    let least = least::<Smoltcp>(&numbered(walk), &is_it);
    println!("seed {} walk {walk}: {}", seed(), told::<Smoltcp>(&least));
    least
}

/// Smoltcp ends with exactly these faults, and our own end with none.
fn assert_only_theirs(actions: &[Action], faults: &[Fault]) {
    let theirs = play::<Smoltcp>(actions, Telling::Silent).faults;
    assert_eq!(theirs, faults, "{MENDED}\n{}", told::<Smoltcp>(actions));
    let ours = play::<Endpoint>(actions, Telling::Silent).faults;
    assert!(ours.is_empty(), "{}", told::<Endpoint>(actions));
}

/// A writes an octet, which the network copies so many times, and closes; its FIN is lost, and it alone. B closes too.
/// Each copy that reaches B draws an ACK that acknowledges nothing new; the first of them opens the window again, and
/// so is no duplicate.
fn fin_lost_among_copies(copies: usize) -> Vec<Action> {
    let next = copies + 1;
    let mut actions = vec![Action::Deliver(0), Action::Send(A)];
    actions.extend(vec![Action::Double(0); copies]);
    actions.extend([Action::Close(A), Action::Lose(next)]);
    actions.extend([Action::Close(B), Action::Deliver(next)]);
    actions
}

#[test]
fn the_search_finds_a_fin_that_is_never_sent_again() {
    let least = search(is_unrepeated_fin);
    assert!(least.len() <= 12, "the story is longer than it need be: {least:?}");
}

/// The third duplicate ACK asks for a fast retransmission, which is carried out only where there is data to send
/// (`seq_to_transmit`), and stops the timer that would have sent the FIN again (`dispatch`).
#[test]
fn a_lost_fin_is_never_sent_again_after_three_duplicate_acks() {
    assert_only_theirs(&fin_lost_among_copies(3), &[]);
    let stuck = Fault::Stuck(State::Closing, State::FinWait2);
    assert_only_theirs(&fin_lost_among_copies(4), &[stuck]);
}

#[test]
fn the_search_finds_a_fin_that_is_ignored() {
    let least = search(is_ignored_fin);
    assert!(least.len() <= 12, "the story is longer than it need be: {least:?}");
}

/// B's FIN left before A's came, so it acknowledges less than the ACK that overtook it. RFC 9293 §3.10.7.4 takes it all
/// the same: an old acknowledgement number is no reason to drop a segment. The connection ends one retransmission later.
#[test]
fn a_fin_overtaken_by_an_ack_is_ignored_without_reply() {
    let actions = [
        Action::Deliver(0),
        Action::Close(A),
        Action::Close(B),
        Action::Deliver(0),
        Action::Deliver(1),
        Action::Deliver(0),
    ];
    assert_only_theirs(&actions, &[Fault::FinIgnored(State::FinWait2)]);
}

#[test]
fn the_search_finds_a_fin_that_is_never_sent() {
    let least = search(is_unsent_fin);
    assert!(least.len() <= 2, "the story is longer than it need be: {least:?}");
}

/// B closes in `SYN_RECEIVED`; the ACK of its SYN is taken for that of a FIN which was never sent, so B goes to
/// `FIN_WAIT_2`, and A waits for B's FIN for ever. By RFC 9293 §3.10.4 a FIN is sent, at once or after the handshake.
#[test]
fn an_end_that_closes_in_syn_received_never_sends_its_fin() {
    let stuck = Fault::Stuck(State::FinWait2, State::Closed);
    assert_only_theirs(&[Action::Close(B)], &[stuck]);
    assert_only_theirs(&[Action::Deliver(0), Action::Close(B)], &[]);
}

/// All four follow from the defect above: B is ahead of what A has heard.
#[test]
fn smoltcp_reaches_four_pairs_of_states_that_the_explorer_says_are_never_reached() {
    let pairs = Pairs::explored(2);
    let all = |first: &[Action]| {
        let mut seen = BTreeSet::new();
        for walk in 0..WALKS {
            let actions = [first, &numbered(walk)].concat();
            seen.extend(play::<Smoltcp>(&actions, Telling::Silent).pairs);
        }
        seen.retain(|(a, b)| pairs.takes(*a, *b).is_none());
        seen
    };
    let four = BTreeSet::from([
        (State::Established, State::FinWait2),
        (State::FinWait1, State::FinWait2),
        (State::FinWait1, State::TimeWait),
        (State::FinWait2, State::TimeWait),
    ]);
    let with_the_handshake = all(&[]);
    assert!(four.is_subset(&with_the_handshake), "{with_the_handshake:?}. {MENDED}");
    assert_eq!(with_the_handshake, four, "{} does more than is known", Smoltcp::NAME);
    assert_eq!(all(&[Action::Double(0), Action::Deliver(0)]), BTreeSet::new());
}

const WALKS: u64 = 20_000;

const MENDED: &str = "smoltcp has changed. If the defect is mended: let the story's test assert that smoltcp has no \
    fault, remove the search for it, and take it out of docs/scripts.md (A second implementation).";
