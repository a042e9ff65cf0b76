//! The kernel under observation: what it sends and tells, and the states it is in, against what is expected.

use super::Difference;
use super::expected::{Cause, DELAYED, Expected, PATIENCE, Stop, differs, same};
use super::numbers;
use super::player::Player;
use crate::live::wire;
use crate::{Error, Result};
use lastack_model::ladder::{Flight, Known, Make, Side, What, index};
use lastack_model::state::State;
use lastack_model::tcp::segment::{Control, Segment};
use lastack_model::tcp::tcb::Report;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::time::Instant;

impl Player {
    /// Waits until everything expected was seen, or something else.
    pub(super) fn compare(&mut self, mut expected: Expected) -> Result<(), Stop> {
        let deadline = Instant::now() + expected.patience;
        let outcome = loop {
            let seen = self.look(&mut expected);
            let states = self.states()?;
            match seen {
                Ok(()) if expected.is_met(states) => break Ok(()),
                Ok(()) if Instant::now() >= deadline => break Err(expected.missing(states)),
                Ok(()) => self.wait(deadline.min(Instant::now() + expected.glance()))?,
                Err(stop) => break Err(stop),
            }
            // What a step leads to at once was there at the first look.
            expected.cause = Cause::Timer;
        };
        let states = self.states()?;
        self.witness.found(
            [Side::A, Side::B]
                .map(|side| states[index(side)].map_or(Known::Unknown, Known::Observed)),
        );
        outcome
    }

    /// Takes what the kernel has sent and told, as far as it is what is expected.
    fn look(&mut self, expected: &mut Expected) -> Result<(), Stop> {
        for from in [Side::A, Side::B] {
            for (packet, segment) in self.received(from)? {
                if self.stage.is_here(from) {
                    self.take(from, packet, &segment, expected)?;
                }
            }
        }
        for side in [Side::A, Side::B] {
            let at = index(side);
            let end = &mut self.ends[at];
            let Some(report) = end.program.news()?.filter(|_| self.stage.is_here(side)) else {
                continue;
            };
            end.was_open |= report == Report::Connected;
            self.witness.saw(What::Told(side, report));
            if expected.told[at].first() != Some(&report) {
                let told = expected.told[at].first().map_or("nothing", |report| report.words());
                return Err(differs(
                    format!("{} to be told {told}", name(side)),
                    report.words().to_owned(),
                ));
            }
            expected.told[at].remove(0);
        }
        Ok(())
    }

    fn take(
        &mut self,
        from: Side,
        packet: Vec<u8>,
        segment: &Segment,
        expected: &mut Expected,
    ) -> Result<(), Stop> {
        let at = index(from);
        let wanted = expected.sent[at].first().copied();
        if segment.has(Control::SYN) && !self.ends[at].numbers.knows(segment.seq) {
            let named = wanted.map_or(segment.seq, |flight| flight.segment.seq);
            self.ends[at].numbers.begin(segment.seq, named);
        }
        let named = self.named(from, segment);
        match wanted {
            Some(flight) if same(&flight.segment, &named) => {
                expected.sent[at].remove(0);
                self.ends[at].sent.push(named);
                self.under_way.push((flight.id, packet));
                self.witness.saw(What::Sent(Flight { segment: named, ..flight }));
                Ok(())
            }
            _ if expected.may_be_timed(from) && self.ends[at].repeats(&named) => Ok(()),
            wanted => {
                let flight = Flight {
                    id: u32::MAX,
                    from,
                    segment: named,
                    incarnation: None,
                    make: Make::Original,
                };
                self.witness.saw(What::Sent(flight));
                let wanted = wanted
                    .map_or_else(|| "nothing".to_owned(), |flight| flight.segment.to_string());
                let name = name(from);
                Err(differs(format!("{name} to send {wanted}"), named.to_string()))
            }
        }
    }

    /// What a timer sends again while nobody waits for it is lost.
    pub(super) fn pass_over_repeats(&mut self) -> Result<(), Stop> {
        let mut expected = self.expected(self.stage.events().len(), Cause::Timer, PATIENCE);
        self.look(&mut expected)
    }

    /// What the kernel still does of its own accord, once the story is over.
    pub(super) fn at_rest(&mut self, steps: usize) -> Result<Option<Difference>> {
        let deadline = Instant::now() + DELAYED;
        while Instant::now() < deadline {
            match self.pass_over_repeats() {
                Ok(()) => self.wait(deadline)?,
                Err(Stop::Differs { expected, got }) => {
                    return Ok(Some(Difference { step: steps, expected, got }));
                }
                Err(Stop::Broken(error)) => return Err(error),
            }
        }
        Ok(None)
    }

    /// The segments that an end has sent, each with its packet.
    pub(super) fn received(&self, from: Side) -> Result<Vec<(Vec<u8>, Segment)>> {
        let mut all = Vec::new();
        self.ends[index(from)].host.tun.drain(|packet| {
            let read = wire::read(packet).map(|(_, segment)| (packet.to_vec(), segment));
            all.extend(read);
        })?;
        Ok(all)
    }

    fn named(&self, from: Side, segment: &Segment) -> Segment {
        let [own, other] = [from, from.other()].map(|side| &self.ends[index(side)].numbers);
        numbers::named(segment, own, other)
    }

    /// The states of the ends that are there.
    fn states(&self) -> Result<[Option<State>; 2]> {
        let mut states = [None, None];
        for side in [Side::A, Side::B] {
            if self.stage.is_here(side) {
                states[index(side)] = Some(self.ends[index(side)].state()?);
            }
        }
        Ok(states)
    }

    /// Waits until the kernel sends something, a timer of a connection is due, or the deadline has come.
    fn wait(&self, deadline: Instant) -> Result<()> {
        let mut next = deadline.saturating_duration_since(Instant::now());
        for end in &self.ends {
            next = next.min(end.next_change()?);
        }
        let limit = Timespec {
            tv_sec: i64::try_from(next.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: next.subsec_nanos().into(),
        };
        let [a, b] = &self.ends;
        let mut wires =
            [PollFd::new(&a.host.tun, PollFlags::IN), PollFd::new(&b.host.tun, PollFlags::IN)];
        poll(&mut wires, Some(&limit))
            .map(drop)
            .map_err(|cause| Error::new("wait for", "the TUN devices of a story", cause))
    }
}

const fn name(side: Side) -> &'static str {
    ["A", "B"][index(side)]
}
