//! Stories that an exhaustive search finds: the shortest that leads where it should, played again on a stage.

use super::Side;
use super::stage::{Stage, Start, Step};
use super::{Call, index};
use crate::explore::{self, Space, explore};
use crate::state::State;
use crate::tcp::profile::Profile;
use crate::tcp::world::{self, Action, Initial, Setting, TimeWait, World};

/// RFC 1337's story: an old FIN is taken for one of the connection that follows, though `TIME_WAIT` is never cut short
/// by its own timer.
pub fn assassination() -> Option<Stage> {
    let space = Setting::<IN_FLIGHT> {
        profile: Profile::RFC_9293,
        loses: false,
        incarnations: 2,
        time_wait: TimeWait::DrainedAndAcknowledged,
        ..Setting::BASIC
    };
    let is_second = |world: &World<IN_FLIGHT>, side| world.ends[index(side)].incarnation == 2;
    // B's second connection has received a FIN, and A's has sent none.
    shortest(&space, |world| {
        is_second(world, Side::A)
            && is_second(world, Side::B)
            && world.states() == (State::Established, State::CloseWait)
    })
}

/// A connection is opened again out of `TIME_WAIT`.
pub fn reopened() -> Option<Stage> {
    let space = Setting::<IN_FLIGHT> {
        profile: Profile::RFC_9293,
        loses: false,
        doubles: false,
        incarnations: 2,
        initial: Initial::Rising,
        time_wait: TimeWait::DrainedAndAcknowledged,
        ..Setting::BASIC
    };
    shortest(&space, |world| {
        world.ends.iter().all(|end| end.incarnation == 2)
            && world.states() == (State::Established, State::Established)
    })
}

fn shortest<const N: usize>(
    setting: &Setting<N>,
    is_wanted: impl Fn(&World<N>) -> bool,
) -> Option<Stage> {
    let explored = explore(setting, THREADS);
    let story = explored.story(|state| is_wanted(&state.unpacked(setting)))?;
    played(setting, &story)
}

/// The story on a stage; `None` if the stage does not come to the same.
fn played<const N: usize>(
    setting: &Setting<N>,
    story: &[explore::Step<Setting<N>>],
) -> Option<Stage> {
    let start = match setting.start {
        world::Start::Established => Start::Connected,
        world::Start::Closed => Start::Closed,
        world::Start::Crossing => return None,
    };
    let mut stage = Stage::new(setting.profile, start, world::WINDOW);
    stage.drop_what_is_ahead();
    let mut before = setting.start().unpacked(setting);
    for step in story {
        act(&mut stage, &before, step.action, setting)?;
        let after = step.state.unpacked(setting);
        drop_what_did_not_fit(&mut stage, &after);
        if stage.states() != after.states() {
            return None;
        }
        before = after;
    }
    Some(stage)
}

fn act<const N: usize>(
    stage: &mut Stage,
    before: &World<N>,
    action: Action,
    setting: &Setting<N>,
) -> Option<()> {
    match action {
        Action::Open(side) => {
            stage.set_iss(side, setting.iss_after_open(&before.ends[index(side)]));
            stage.play(Step::Call(side, Call::Connect));
        }
        Action::Listen(side) => stage.play(Step::Call(side, Call::Listen)),
        Action::Send(side) => stage.play(Step::Call(side, Call::Write(1))),
        Action::Close(side) => {
            let call = match setting.closing {
                world::Closing::HalfClose => Call::Shutdown,
                world::Closing::FullClose => Call::Close,
            };
            stage.play(Step::Call(side, call));
        }
        Action::Abort(side) => stage.play(Step::Call(side, Call::Abort)),
        Action::Timeout(side, timer) => stage.play(Step::Timeout(side, timer)),
        Action::Vanish(side) => stage.play(Step::Gone(side)),
        Action::Reboot(side) => stage.play(Step::Back(side)),
        Action::Deliver(place) => {
            let to = meant(before, place)?.to;
            stage.set_iss(to, setting.iss(&before.ends[index(to)]));
            stage.deliver_id(same(stage, meant(before, place)?)?);
        }
        // Neither ticks nor cuts happen in the settings above.
        Action::Tick | Action::Cut | Action::Restore => return None,
        Action::Lose(place) => stage.lose_id(same(stage, meant(before, place)?)?),
        Action::Double(place) => stage.double_id(same(stage, meant(before, place)?)?),
    }
    Some(())
}

fn meant<const N: usize>(world: &World<N>, place: world::Place) -> Option<world::UnderWay> {
    world.under_way().nth(usize::from(place.0))
}

/// The oldest segment on the stage that is this one.
fn same(stage: &Stage, wanted: world::UnderWay) -> Option<u32> {
    stage.under_way().find(|flight| is_same(flight, wanted)).map(|flight| flight.id)
}

fn is_same(flight: &super::Flight, wanted: world::UnderWay) -> bool {
    let segment = wanted.segment();
    flight.from.other() == wanted.to
        && flight.incarnation == Some(wanted.incarnation)
        && (flight.segment.seq, flight.segment.ack) == (segment.seq, segment.ack)
        && (flight.segment.control, flight.segment.length) == (segment.control, segment.length)
}

/// The explorer's network holds a few segments only; what is sent into a full one is lost, which a reader must see.
fn drop_what_did_not_fit<const N: usize>(stage: &mut Stage, after: &World<N>) {
    let mut left: Vec<world::UnderWay> = after.under_way().collect();
    let mut lost = Vec::new();
    for flight in stage.under_way() {
        match left.iter().position(|one| is_same(flight, *one)) {
            Some(at) => {
                left.swap_remove(at);
            }
            None => lost.push(flight.id),
        }
    }
    for id in lost {
        stage.lose_id(id);
    }
}

const IN_FLIGHT: usize = 3;
const THREADS: usize = 2;
