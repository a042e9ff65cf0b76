//! Step after step: the model and the kernel play the same, and the first thing in which they differ ends it.

use super::end::End;
use super::expected::{Cause, Expected, PATIENCE, Stop, longest};
use super::host::{FinTimeout, Host};
use super::turn::Turn;
use super::witness::Witness;
use super::{Difference, Played};
use crate::{Error, Result};
use lastack_model::facts::TimerKind;
use lastack_model::ladder::scenario::{Scenario, WINDOW};
use lastack_model::ladder::stage::{Stage, Start, Step};
use lastack_model::ladder::{Call, Event, Make, Side, What, index};
use lastack_model::tcp::segment::Control;
use lastack_model::tcp::seq::SeqNumber;
use lastack_model::tcp::tcb::{Report, Timer};
use std::time::{Duration, Instant};

/// Plays the whole story, or as far as kernel and model agree.
pub(super) fn play(scenario: &Scenario, start: Start, steps: &[Step]) -> Result<Played> {
    let waits = |step: &Step| matches!(step, Step::Timeout(_, Timer::FinWait2));
    let stage = Stage::new(scenario.profile, start, WINDOW);
    let fin_timeout = if steps.iter().any(waits) { FinTimeout::Short } else { FinTimeout::Usual };
    let turn = Turn::wait();
    let mut player = Player::new(stage, turn, fin_timeout)?;
    if start == Start::Connected {
        player.connect()?;
    }
    let mut difference = None;
    for (at, step) in steps.iter().enumerate() {
        match player.step(*step) {
            Ok(()) => {}
            Err(Stop::Differs { expected, got }) => {
                difference = Some(Difference { step: at + 1, expected, got });
                break;
            }
            Err(Stop::Broken(error)) => return Err(error),
        }
    }
    if difference.is_none() {
        difference = player.at_rest(steps.len())?;
    }
    let Player { stage, witness, .. } = player;
    let model = stage.into_ladder(scenario.name, scenario.title, scenario.ends);
    Ok(Played { kernel: witness.into_ladder(scenario), model, difference })
}

pub(super) struct Player {
    pub(super) stage: Stage,
    turn: Option<Turn>,
    pub(super) fin_timeout: FinTimeout,
    pub(super) ends: [End; 2],
    pub(super) under_way: Vec<(u32, Vec<u8>)>,
    pub(super) witness: Witness,
}

impl Player {
    fn new(stage: Stage, turn: Turn, fin_timeout: FinTimeout) -> Result<Self> {
        let end = |side| {
            let host = Host::new(side, fin_timeout)?;
            Ok::<_, Error>(End::of(host))
        };
        let ends = [end(Side::A)?, end(Side::B)?];
        let witness = Witness::new(stage.start());
        Ok(Self { stage, turn: Some(turn), fin_timeout, ends, under_way: Vec::new(), witness })
    }

    /// The connection that a story begins with, of which nothing is told.
    fn connect(&mut self) -> Result<()> {
        for (side, call) in [(Side::B, Call::Listen), (Side::A, Call::Connect)] {
            let end = &mut self.ends[index(side)];
            end.program.call(call, &end.host)?;
        }
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            for from in [Side::A, Side::B] {
                for (packet, segment) in self.received(from)? {
                    if segment.has(Control::SYN) {
                        let named = SeqNumber(0);
                        self.ends[index(from)].numbers.begin(segment.seq, named);
                    }
                    self.ends[index(from.other())].host.tun.send(&packet)?;
                }
            }
            let [a, b] = &mut self.ends;
            let _of_a = a.program.news()?;
            if b.program.news()? == Some(Report::Connected) {
                b.program.call(Call::Accept, &b.host)?;
                b.program.forget_listener();
                self.ends.iter_mut().for_each(|end| end.was_open = true);
                return Ok(());
            }
        }
        let cause = std::io::Error::from(std::io::ErrorKind::TimedOut);
        Err(Error::new("connect", "the two ends of a story", cause))
    }

    fn step(&mut self, step: Step) -> Result<(), Stop> {
        self.pass_over_repeats()?;
        match step {
            Step::Settle => {
                // Two ends that behave come to rest soon.
                for _ in 0..MOST_DELIVERIES {
                    let Some(id) = self.stage.under_way().map(|flight| flight.id).next() else {
                        break;
                    };
                    self.deliver(id)?;
                    self.pass_over_repeats()?;
                }
                Ok(())
            }
            Step::Arrives(_) | Step::Overtakes(_) => {
                self.stage.meant(step).map_or(Ok(()), |id| self.deliver(id))
            }
            Step::Lost(_) => self.stage.meant(step).map_or(Ok(()), |id| {
                self.under_way.retain(|(other, _)| *other != id);
                self.plays(step, |_| Ok(()))
            }),
            Step::Doubled(_) => self.double(step),
            Step::Call(side, call) => self.plays(step, |ends| {
                let end = &mut ends[index(side)];
                Ok(end.program.call(call, &end.host)?)
            }),
            Step::Timeout(side, timer) => self.timeout(step, side, timer),
            Step::Probe(_) => self.waits(step, Duration::from_secs(5)),
            Step::Gone(_) | Step::Note(_) => self.plays(step, |_| Ok(())),
            Step::Back(side) => {
                let host = Host::new(side, self.fin_timeout)?;
                self.plays(step, |ends| {
                    ends[index(side)] =
                        End { numbers: ends[index(side)].numbers.clone(), ..End::of(host) };
                    Ok(())
                })
            }
        }
    }

    fn deliver(&mut self, id: u32) -> Result<(), Stop> {
        let at = self.under_way.iter().position(|(other, _)| *other == id);
        let packet = at.map(|at| self.under_way.remove(at).1);
        let to = self.stage.under_way().find(|flight| flight.id == id).map(|f| f.from.other());
        let is_here = to.is_some_and(|to| self.stage.is_here(to));
        let before = self.stage.events().len();
        self.stage.deliver_id(id);
        let cause = to.map_or(Cause::Timer, Cause::Step);
        let expected = self.expected(before, cause, PATIENCE);
        if let (Some(packet), Some(to), true) = (packet, to, is_here) {
            self.ends[index(to)].host.tun.send(&packet)?;
        }
        self.compare(expected)
    }

    fn double(&mut self, step: Step) -> Result<(), Stop> {
        let original = self.stage.meant(step);
        let before = self.stage.events().len();
        self.stage.play(step);
        let found = self.under_way.iter().find(|(id, _)| Some(*id) == original);
        let copy = self.stage.events()[before..].iter().find_map(|event| match &event.what {
            What::Sent(flight) => Some(flight.id),
            _ => None,
        });
        if let Some((id, packet)) = copy.zip(found.map(|(_, packet)| packet.clone())) {
            self.under_way.push((id, packet));
        }
        let expected = self.expected(before, Cause::Timer, PATIENCE);
        self.compare(expected)
    }

    /// The model plays a step, and so does the kernel.
    fn plays(
        &mut self,
        step: Step,
        act: impl FnOnce(&mut [End; 2]) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let before = self.stage.events().len();
        self.stage.play(step);
        let cause = match step {
            Step::Call(side, _) => Cause::Step(side),
            _ => Cause::Timer,
        };
        let expected = self.expected(before, cause, PATIENCE);
        act(&mut self.ends)?;
        self.compare(expected)
    }

    /// The model plays a step that the kernel comes to by itself.
    fn waits(&mut self, step: Step, patience: Duration) -> Result<(), Stop> {
        let before = self.stage.events().len();
        self.stage.play(step);
        let expected = self.expected(before, Cause::Timer, patience);
        // What comes after it is little, and would come late if it had to wait again.
        self.turn = None;
        self.compare(expected)
    }

    fn timeout(&mut self, step: Step, side: Side, timer: Timer) -> Result<(), Stop> {
        if self.stage.runs(side, timer) {
            return self.waits(step, longest(timer));
        }
        let host = &self.ends[index(side)].host;
        let socket = host.connection(&host.sockets()?);
        match socket.filter(|socket| socket.timer.kind != TimerKind::Off) {
            None => Ok(()),
            Some(socket) => Err(Stop::Differs {
                expected: "no timer that runs".to_owned(),
                got: format!("{:?} in {} ms", socket.timer.kind, socket.timer.remaining_ms),
            }),
        }
    }

    /// What the model did since that event, as what is to be seen of the kernel.
    pub(super) fn expected(&mut self, since: usize, cause: Cause, patience: Duration) -> Expected {
        let mut expected = Expected {
            sent: [Vec::new(), Vec::new()],
            told: [Vec::new(), Vec::new()],
            states: [None, None],
            cause,
            since: Instant::now(),
            minute: patience == longest(Timer::TimeWait),
            patience,
        };
        for Event { what, .. } in &self.stage.events()[since..] {
            match what {
                What::Sent(flight) if flight.make != Make::Doubled => {
                    expected.sent[index(flight.from)].push(*flight);
                }
                What::Told(side, report) => expected.told[index(*side)].push(*report),
                // The kernel's own, seen by its states.
                What::Wait(..) => {}
                other => self.witness.saw(other.clone()),
            }
        }
        let (a, b) = self.stage.states();
        for (side, state) in [(Side::A, a), (Side::B, b)] {
            expected.states[index(side)] = self.stage.is_here(side).then_some(state);
        }
        expected
    }
}

const MOST_DELIVERIES: usize = 1000;
