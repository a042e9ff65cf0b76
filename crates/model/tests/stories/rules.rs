//! What holds in every story, whatever the network does.

use super::play::{Harshness, Opening, Story, hold, moments};
use lastack_model::figure::pairs::{Pairs, Takes};
use lastack_model::ladder::stage::Step;
use lastack_model::ladder::{Call, Event, Known, Ladder, Make, Side, What, index};
use lastack_model::state::State;
use lastack_model::tcp::profile::Profile;
use lastack_model::tcp::segment::Control;
use lastack_model::tcp::tcb::{Report, Timer};
use lastack_model::tcp::transition::TRANSITIONS;

/// How many stories, and by which chance.
pub(crate) type Chance = (u32, u64);

fn each_profile(
    harshness: Harshness,
    chance: Chance,
    rule: &dyn Fn(&Ladder) -> Result<(), String>,
) {
    for profile in Profile::ALL {
        hold(profile, harshness, chance, &|story: &Story| rule(&story.ladder(profile)));
    }
}

fn states(event: &Event) -> [Option<State>; 2] {
    event.states.map(Known::state)
}

/// `CLOSING` needs FINs that cross: the other end closed before it heard of this one's FIN.
pub(crate) fn closing_needs_fins_that_cross(chance: Chance) {
    each_profile(Harshness::Rough, chance, &|ladder| {
        for (before, event) in moments(ladder) {
            for side in Side::BOTH {
                let other = index(side.other());
                let crossed = || before.iter().any(|e| states(e)[other] == Some(State::FinWait1));
                if states(event)[index(side)] == Some(State::Closing) && !crossed() {
                    return Err(format!("{side:?} is in CLOSING, and the other closed later"));
                }
            }
        }
        Ok(())
    });
}

/// Both ends are in a pair of states that the exhaustive search found too. That search lets one end open.
pub(crate) fn only_known_pairs_occur(chance: Chance) {
    let pairs = Pairs::explored(2);
    let profile = Profile::RFC_9293;
    for harshness in [Harshness::Orderly, Harshness::Rough] {
        hold(profile, harshness, chance, &|story: &Story| {
            let most = match (story.opening, harshness) {
                (Opening::Crossing, _) => return Ok(()),
                (Opening::Listened, _) => Takes::Opening,
                (Opening::Connected, Harshness::Rough) => Takes::Aborting,
                // Octets that nobody reads make of a close an abort.
                (Opening::Connected, Harshness::Orderly) if story.writes() => Takes::Aborting,
                (Opening::Connected, Harshness::Orderly) => Takes::Closing,
            };
            for event in story.ladder(profile).events {
                let [Some(one), Some(other)] = states(&event) else { continue };
                if pairs.takes(one, other).is_none_or(|takes| takes > most) {
                    return Err(format!("{one} and {other} at once"));
                }
            }
            Ok(())
        });
    }
}

/// States change along the arcs of the figure, one or two of them by one event.
pub(crate) fn states_change_along_the_arcs(chance: Chance) {
    let arc =
        |from: State, to: State| TRANSITIONS.iter().any(|row| (row.from, row.to) == (from, to));
    each_profile(Harshness::Rough, chance, &|ladder| {
        for (at, event) in ladder.events.iter().enumerate() {
            for (from, to) in ladder.states_before(at).into_iter().zip(event.states) {
                let (Some(from), Some(to)) = (from.state(), to.state()) else { continue };
                let by_two = || State::ALL.into_iter().any(|way| arc(from, way) && arc(way, to));
                if from != to && !arc(from, to) && !by_two() {
                    return Err(format!("from {from} to {to}"));
                }
            }
        }
        Ok(())
    });
}

/// What an end acknowledges in a synchronised state is what it expects next, or did before this step.
pub(crate) fn every_segment_acknowledges_what_was_received(chance: Chance) {
    for profile in Profile::ALL {
        hold(profile, Harshness::Rough, chance, &|story: &Story| {
            let mut fault = None;
            let mut seen = 0;
            let mut before = [0, 0];
            story.play(profile, |stage| {
                let now = Side::BOTH.map(|side| stage.end(side).rcv_nxt.0);
                for flight in stage
                    .under_way()
                    .filter(|flight| flight.id >= seen && flight.make != Make::Doubled)
                {
                    let at = index(flight.from);
                    let answers_for_nobody = stage.end(flight.from).state == State::Closed;
                    let is_reset = flight.segment.has(Control::RST);
                    let ack = flight.segment.ack.map(|ack| ack.0);
                    // Another connection may have begun meanwhile, and count anew.
                    let (least, most) = (before[at].min(now[at]), before[at].max(now[at]));
                    let fits = ack.is_none_or(|ack| (least..=most).contains(&ack));
                    let bare = ack.is_none() && !flight.segment.has(Control::SYN);
                    if !answers_for_nobody && !is_reset && (!fits || bare) {
                        fault = Some(format!("{} while {} is expected", flight.segment, now[at]));
                    }
                }
                seen =
                    stage.under_way().map(|flight| flight.id + 1).max().unwrap_or(seen).max(seen);
                before = now;
            });
            fault.map_or(Ok(()), Err)
        });
    }
}

/// Neither what an end sends for the first time nor what it acknowledges goes back while the connection lives.
pub(crate) fn numbers_never_go_back(chance: Chance) {
    each_profile(Harshness::Rough, chance, &|ladder| {
        let mut furthest = [(0, 0); 2];
        for event in &ladder.events {
            let lives = states(event).map(|state| {
                state.is_some_and(|state| !matches!(state, State::Closed | State::Listen))
            });
            for (furthest, _) in furthest.iter_mut().zip(lives).filter(|(_, lives)| !lives) {
                *furthest = (0, 0);
            }
            let What::Sent(flight) = event.what else { continue };
            let at = index(flight.from);
            if !lives[at] || flight.segment.has(Control::RST) {
                continue;
            }
            let end = flight.segment.seq.0 + flight.segment.sequence_length();
            let ack = flight.segment.ack.map_or(0, |ack| ack.0);
            let (furthest_end, furthest_ack) = &mut furthest[at];
            let again = flight.make != Make::Original;
            if !again && (end < *furthest_end || ack < *furthest_ack) {
                return Err(format!("{:?} sends {}", flight.from, flight.segment));
            }
            *furthest_end = end.max(*furthest_end);
            *furthest_ack = ack.max(*furthest_ack);
        }
        Ok(())
    });
}

/// Who is in `TIME_WAIT` has received the other's FIN and acknowledged it.
pub(crate) fn time_wait_has_acknowledged_the_fin(chance: Chance) {
    each_profile(Harshness::Rough, chance, &|ladder| {
        for (at, event) in ladder.events.iter().enumerate() {
            for side in Side::BOTH {
                if states(event)[index(side)] != Some(State::TimeWait) {
                    continue;
                }
                // What it sends on entering follows the event that took it there.
                let until = ladder.events.len().min(at + 4);
                let fin = ladder.events[..=at].iter().find_map(|e| match e.what {
                    What::Arrived(flight) if flight.from != side => {
                        let segment = flight.segment;
                        segment.has(Control::FIN).then(|| segment.seq.0 + segment.sequence_length())
                    }
                    _ => None,
                });
                let acknowledged = fin.is_some_and(|end| {
                    ladder.events[..until].iter().any(|e| {
                        matches!(e.what, What::Sent(flight)
                            if flight.from == side && flight.segment.ack.is_some_and(|a| a.0 >= end))
                    })
                });
                if !acknowledged {
                    return Err(format!("{side:?} is in TIME_WAIT and has acknowledged no FIN"));
                }
            }
        }
        Ok(())
    });
}

/// The end of the file is told only after a FIN arrived.
pub(crate) fn the_end_of_the_file_comes_with_a_fin(chance: Chance) {
    each_profile(Harshness::Rough, chance, &|ladder| {
        for (before, event) in moments(ladder) {
            let What::Told(side, Report::EndOfFile) = event.what else { continue };
            let arrived = before.iter().any(|e| {
                matches!(e.what, What::Arrived(flight)
                    if flight.from != side && flight.segment.has(Control::FIN))
            });
            if !arrived {
                return Err(format!("{side:?} reads the end of the file, and no FIN arrived"));
            }
        }
        Ok(())
    });
}

/// Once both programs have closed, and from then on nothing is lost, both ends come to rest when their timers run;
/// `FIN_WAIT_2` by its own, which the RFC does not have.
pub(crate) fn both_come_to_rest(chance: Chance) {
    for profile in [Profile::LINUX, Profile::FREE_BSD] {
        hold(profile, Harshness::Rough, chance, &|story: &Story| {
            let mut whole = story.clone();
            whole.steps.extend(Side::BOTH.map(|side| Step::Call(side, Call::Close)));
            whole.steps.extend((0..ROUNDS).flat_map(|_| round()));
            if story.opening != Opening::Connected {
                // An end that takes the answer to an older SYN for the present one is given up at last.
                whole.steps.extend(Side::BOTH.map(|side| Step::Timeout(side, Timer::GiveUp)));
                whole.steps.extend(round());
            }
            let states = whole.play(profile, |_| ()).states();
            // A listener outlives what it makes.
            if [states.0, states.1].iter().all(|it| matches!(it, State::Closed | State::Listen)) {
                return Ok(());
            }
            Err(format!("both closed, and are in {} and {}", states.0, states.1))
        });
    }
}

/// Everything arrives, then every timer runs out that runs and gives nothing up.
fn round() -> Vec<Step> {
    let timers = [Timer::Retransmit, Timer::FinWait2, Timer::TimeWait];
    let timeouts =
        timers.iter().flat_map(|timer| Side::BOTH.map(|side| Step::Timeout(side, *timer)));
    [Step::Settle].into_iter().chain(timeouts).collect()
}

/// So often timers run after both have closed.
const ROUNDS: usize = 6;
