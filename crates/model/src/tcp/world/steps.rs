//! What may happen next in a world, and what it leads to: calls, timers, hosts and links that go and come back, and
//! whatever the network does with a segment.

use super::{Action, Belief, End, Link, Packed, Place, Presence, Setting, Side, WINDOW, World};
use crate::explore::Space;
use crate::state::State;
use crate::tcp::segment::Control;
use crate::tcp::tcb::{Effects, Tcb, Wait};

/// The space of all worlds that follow from a setting.
impl<const N: usize> Space for Setting<N> {
    type State = Packed<N>;
    type Action = Action;

    fn start(&self) -> Packed<N> {
        Packed::of(&self.first())
    }

    fn successors(&self, state: &Packed<N>, each: &mut dyn FnMut(Action, Packed<N>)) {
        let world = state.unpacked(self);
        // What follows from a deception says nothing more.
        if world.ends.iter().any(|end| end.belief == Belief::Deceived) {
            return;
        }
        for side in Side::BOTH {
            self.calls(&world, side, each);
            self.timers(&world, side, each);
            self.hosts(&world, side, each);
        }
        self.link(&world, each);
        self.network(&world, each);
    }
}

impl<const N: usize> Setting<N> {
    /// The world after an action, for whoever follows a story.
    pub fn after(&self, world: &World<N>, action: Action) -> Option<World<N>> {
        let mut found = None;
        self.successors(&Packed::of(world), &mut |taken, next| {
            if taken == action {
                found = Some(next.unpacked(self));
            }
        });
        found
    }

    fn calls(&self, world: &World<N>, side: Side, each: &mut dyn FnMut(Action, Packed<N>)) {
        let end = &world.ends[side.index()];
        if end.presence == Presence::Vanished {
            return;
        }
        let mut call = |action: Action, act: &dyn Fn(&mut End) -> Effects| {
            let mut next = *world;
            let effects = act(next.end(side));
            let incarnation = next.end(side).incarnation;
            next.send(side, incarnation, &effects, self.network);
            if next != *world {
                each(action, Packed::of(&next));
            }
        };
        if self.may_open(end, side) {
            call(Action::Open(side), &|end| self.open(end));
        }
        if self.may_listen(end, side) {
            call(Action::Listen(side), &|end| end.tcb.listen());
        }
        if end.octets_left > 0 && matches!(end.tcb.state, State::Established | State::CloseWait) {
            call(Action::Send(side), &|end| {
                end.octets_left -= 1;
                end.tcb.send(1)
            });
        }
        if self.may_close(end, side) {
            call(Action::Close(side), &|end| self.close(end));
        }
        if self.aborts && self.may_abort(end) {
            call(Action::Abort(side), &|end| end.tcb.abort());
        }
    }

    /// Hosts go, and come back.
    fn hosts(&self, world: &World<N>, side: Side, each: &mut dyn FnMut(Action, Packed<N>)) {
        if self.vanishes != Some(side) {
            return;
        }
        let mut next = *world;
        let end = next.end(side);
        match end.presence {
            Presence::Here => {
                end.tcb = Tcb::closed(WINDOW);
                end.presence = Presence::Vanished;
                each(Action::Vanish(side), Packed::of(&next));
            }
            Presence::Vanished if self.reboots => {
                end.tcb = Tcb::closed(WINDOW);
                end.presence = Presence::Here;
                each(Action::Reboot(side), Packed::of(&next));
            }
            Presence::Vanished => {}
        }
    }

    fn link(&self, world: &World<N>, each: &mut dyn FnMut(Action, Packed<N>)) {
        if !self.cuts {
            return;
        }
        match world.link {
            Link::Whole => {
                let cut = World { link: Link::Cut, under_way: [None; N], ..*world };
                each(Action::Cut, Packed::of(&cut));
            }
            Link::Cut => {
                each(Action::Restore, Packed::of(&World { link: Link::Whole, ..*world }));
            }
        }
    }

    fn timers(&self, world: &World<N>, side: Side, each: &mut dyn FnMut(Action, Packed<N>)) {
        let end = &world.ends[side.index()];
        if end.presence == Presence::Vanished {
            return;
        }
        for timer in self.timers_that_run(world, side) {
            let mut next = *world;
            let effects = next.end(side).tcb.timeout(timer);
            next.send(side, end.incarnation, &effects, self.network);
            if next != *world {
                each(Action::Timeout(side, timer), Packed::of(&next));
            }
        }
    }

    fn network(&self, world: &World<N>, each: &mut dyn FnMut(Action, Packed<N>)) {
        let mut last = None;
        for (at, under_way) in world.under_way.iter().enumerate() {
            let Some(under_way) = under_way else { break };
            // Of equal segments one stands for all.
            if last.replace(*under_way) == Some(*under_way) {
                continue;
            }
            let place = Place(at as u8);
            each(Action::Deliver(place), Packed::of(&self.delivered(world, place)));
            if self.network.is_bounded() {
                self.lose_or_double(world, place, each);
            }
        }
        if self.network.ages() {
            let mut next = *world;
            next.tick();
            if next != *world {
                each(Action::Tick, Packed::of(&next));
            }
        }
    }

    fn lose_or_double(
        &self,
        world: &World<N>,
        place: Place,
        each: &mut dyn FnMut(Action, Packed<N>),
    ) {
        if self.loses {
            let mut next = *world;
            next.take(place);
            each(Action::Lose(place), Packed::of(&next));
        }
        let mut next = *world;
        let copy = world.under_way[usize::from(place.0)];
        let free = next.room(self.network).find(|slot| slot.is_none());
        if let (true, Some(free)) = (self.doubles, free) {
            *free = copy;
            next.sort();
            each(Action::Double(place), Packed::of(&next));
        }
    }

    fn delivered(&self, world: &World<N>, place: Place) -> World<N> {
        let mut next = *world;
        let Some(under_way) = world.under_way[usize::from(place.0)] else { return next };
        // Where copies are kept, another one may arrive as long as the segment lives.
        if self.network.is_bounded() {
            next.take(place);
        }
        let end = next.end(under_way.to);
        if end.presence == Presence::Vanished {
            return next;
        }
        let before = end.tcb;
        let effects = end.tcb.arrive(&under_way.segment(), self.iss(end), &self.profile);
        if self.reads {
            end.tcb.read();
        }
        let opened = matches!(before.state, State::Listen | State::TimeWait)
            && end.tcb.state == State::SynReceived;
        if is_moved(&before, &end.tcb) && under_way.incarnation < end.incarnation && !opened {
            end.belief = Belief::Deceived;
        }
        self.wait_or_not(&before, end);
        if effects.wait == Wait::Starts {
            end.wait_left = self.time_wait.ticks();
        }
        if opened {
            end.incarnation = under_way.incarnation;
            end.octets_left = self.octets;
        }
        // A reset that ends nothing here answers in the name of the connection that was meant.
        let resets = effects.segments().any(|segment| segment.has(Control::RST));
        let for_another = resets && before.state == end.tcb.state;
        let incarnation = if for_another { under_way.incarnation } else { end.incarnation };
        next.send(under_way.to, incarnation, &effects, self.network);
        next
    }
}

/// Whether a segment changed what an end knows of its connection.
fn is_moved(before: &Tcb, after: &Tcb) -> bool {
    before.state != State::Closed
        && (before.state, before.rcv_nxt, before.snd_una)
            != (after.state, after.rcv_nxt, after.snd_una)
}
