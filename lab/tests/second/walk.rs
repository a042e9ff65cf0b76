//! The walker: two ends, the segments between them, and what befalls both.
//!
//! It starts where A is established and its handshake's last ACK is under way. After a schedule of actions both programs
//! close, every later segment is delivered, and the clock runs as long as anybody wants to be woken.

use crate::stack::Stack;
use lastack_lab::random::Random;
use lastack_model::state::State;
use lastack_model::tcp::moment::Moment;
use lastack_model::tcp::segment::{Control, Segment};
use lastack_model::tcp::seq::SeqNumber;
use lastack_model::tcp::world::Side;
use std::collections::BTreeSet;

/// What may happen. A number chooses among the segments under way, oldest first, and wraps round.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Action {
    Close(Side),
    Abort(Side),
    Send(Side),
    Deliver(usize),
    Lose(usize),
    Double(usize),
    /// The clock moves to when somebody wants to be woken.
    Wait,
}

/// What a schedule can show to be wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// Nothing is under way, no timer runs, and the connection is not over on both sides.
    Stuck(State, State),
    /// It goes on and on.
    Endless(State, State),
    /// A FIN that was next in turn moved nothing and drew no answer.
    FinIgnored(State),
}

/// How a schedule went.
#[derive(Debug, Default)]
pub(crate) struct Course {
    pub(crate) faults: Vec<Fault>,
    /// Every pair of states that was seen.
    pub(crate) pairs: BTreeSet<(State, State)>,
    /// One line an action.
    pub(crate) story: Vec<String>,
}

/// A schedule by chance.
pub(crate) fn schedule(random: &mut Random) -> Vec<Action> {
    let length = 4 + random.below(20);
    (0..length).map(|_| action(random)).collect()
}

fn action(random: &mut Random) -> Action {
    let side = random.pick(&Side::BOTH);
    let place = random.below(6);
    match random.below(24) {
        0..=2 => Action::Close(side),
        3 if random.one_in(4) => Action::Abort(side),
        3..=5 => Action::Send(side),
        6..=14 => Action::Deliver(place),
        15..=17 => Action::Lose(place),
        18..=20 => Action::Double(place),
        _ => Action::Wait,
    }
}

/// Plays a schedule to its end.
pub(crate) fn play<S: Stack>(schedule: &[Action], telling: Telling) -> Course {
    let mut world = World::<S>::after_the_handshake(telling);
    for action in schedule {
        world.act(*action);
    }
    world.settle();
    world.course
}

/// Whether the story is written down.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Telling {
    Silent,
    Aloud,
}

struct World<S: Stack> {
    now: Moment,
    ends: [S; 2],
    under_way: Vec<(Side, S::Packet)>,
    /// The number that each end last said it expects.
    expected: [Option<SeqNumber>; 2],
    telling: Telling,
    course: Course,
}

impl<S: Stack> World<S> {
    fn after_the_handshake(telling: Telling) -> Self {
        let mut world = Self {
            now: Moment(0),
            ends: Side::BOTH.map(S::opening),
            under_way: Vec::new(),
            expected: [None; 2],
            telling: Telling::Silent,
            course: Course::default(),
        };
        world.collect();
        world.deliver(0);
        world.deliver(0);
        assert_eq!((world.states(), world.under_way.len()), (OPEN, 1), "{}", S::NAME);
        world.telling = telling;
        world
    }

    fn states(&self) -> (State, State) {
        (self.ends[0].state(), self.ends[1].state())
    }

    fn act(&mut self, action: Action) {
        let count = self.under_way.len();
        let told = match action {
            Action::Close(side) => {
                self.ends[side as usize].close(self.now);
                format!("{side:?} closes")
            }
            Action::Abort(side) => {
                self.ends[side as usize].abort(self.now);
                format!("{side:?} aborts")
            }
            Action::Send(side) => {
                self.ends[side as usize].send(self.now);
                format!("{side:?} writes an octet")
            }
            Action::Deliver(_) | Action::Lose(_) | Action::Double(_) if count == 0 => return,
            Action::Deliver(place) => self.deliver(place % count),
            Action::Lose(place) => {
                let (to, packet) = self.under_way.remove(place % count);
                format!("lost on its way to {to:?}: {}", S::read(&packet))
            }
            Action::Double(place) => {
                let (to, packet) = self.under_way[place % count].clone();
                let told = format!("doubled on its way to {to:?}: {}", S::read(&packet));
                self.under_way.push((to, packet));
                told
            }
            Action::Wait => match self.wait() {
                Some(now) => format!("the clock shows {now}"),
                None => return,
            },
        };
        self.collect();
        self.note(&told);
    }

    fn note(&mut self, told: &str) {
        let states = self.states();
        self.course.pairs.insert(states);
        if self.telling == Telling::Aloud {
            self.course.story.push(format!("{told:<60} {} {}", states.0, states.1));
        }
    }

    fn deliver(&mut self, place: usize) -> String {
        let (to, packet) = self.under_way.remove(place);
        let segment = S::read(&packet);
        let before = self.ends[to as usize].state();
        let count = self.under_way.len();
        self.ends[to as usize].arrive(self.now, &packet);
        self.collect();
        let answered = self.under_way.len() > count;
        let moved = self.ends[to as usize].state() != before;
        if self.is_next_fin(to, before, &segment) && !moved && !answered {
            self.course.faults.push(Fault::FinIgnored(before));
        }
        format!("{to:?} gets {segment}")
    }

    fn is_next_fin(&self, to: Side, state: State, segment: &Segment) -> bool {
        let awaits = matches!(state, State::Established | State::FinWait1 | State::FinWait2);
        awaits && segment.has(Control::FIN) && self.expected[to as usize] == Some(segment.seq)
    }

    /// Takes what the ends want to send.
    fn collect(&mut self) {
        for side in Side::BOTH {
            while let Some(packet) = self.ends[side as usize].departs() {
                let segment = S::read(&packet);
                if !segment.has(Control::RST) {
                    self.expected[side as usize] = segment.ack.or(self.expected[side as usize]);
                }
                self.under_way.push((side.other(), packet));
            }
        }
    }

    fn wait(&mut self) -> Option<Moment> {
        let now = self.now;
        let at = self.ends.iter_mut().filter_map(|end| end.wants_waking(now)).min()?;
        self.now = self.now.max(at);
        for end in &mut self.ends {
            end.wake(self.now);
        }
        Some(self.now)
    }

    /// Both close, everything arrives, time passes, until both are gone or nothing moves any more.
    fn settle(&mut self) {
        for side in Side::BOTH {
            self.act(Action::Close(side));
        }
        for _ in 0..PATIENCE {
            let states = self.states();
            if !self.under_way.is_empty() {
                self.act(Action::Deliver(0));
            } else if states == (State::Closed, State::Closed) {
                return;
            } else if let Some(now) = self.wait() {
                self.collect();
                self.note(&format!("the clock shows {now}"));
            } else {
                self.course.faults.push(Fault::Stuck(states.0, states.1));
                return;
            }
        }
        let (a, b) = self.states();
        self.course.faults.push(Fault::Endless(a, b));
    }
}

/// The shortest schedule that can be had from this one by leaving actions out and choosing older segments, and that
/// still shows what is looked for.
pub(crate) fn shrunk(schedule: &[Action], shows: impl Fn(&[Action]) -> bool) -> Vec<Action> {
    let mut least = schedule.to_vec();
    loop {
        let shorter = (0..least.len()).map(|at| {
            let mut without = least.clone();
            without.remove(at);
            without
        });
        let simpler = (0..least.len()).filter_map(|at| {
            let mut with = least.clone();
            with[at] = simpler(with[at])?;
            Some(with)
        });
        let Some(next) = shorter.chain(simpler).find(|candidate| shows(candidate)) else {
            return least;
        };
        least = next;
    }
}

fn simpler(action: Action) -> Option<Action> {
    match action {
        Action::Deliver(place) => place.checked_sub(1).map(Action::Deliver),
        Action::Lose(place) => place.checked_sub(1).map(Action::Lose),
        Action::Double(place) => place.checked_sub(1).map(Action::Double),
        Action::Close(_) | Action::Abort(_) | Action::Send(_) | Action::Wait => None,
    }
}

/// Where every schedule starts.
const OPEN: (State, State) = (State::Established, State::SynReceived);

/// So many steps are enough for every end that ends.
const PATIENCE: usize = 2_000;
