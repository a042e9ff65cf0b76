//! Step after step in real time: segments are handed to the kernel, and what it sends is compared with the script.

mod expect;
mod flow;
mod shell;

use super::calls::Program;
use super::ground::{Ground, OWN, PEER};
use super::wire::{self, Ends, Ports};
use super::{Stop, beyond, failed};
use crate::Error;
use flow::{Flow, moved};
use lastack_model::script::replay::wire::segment;
use lastack_model::script::replay::{Dialect, Observed, first_numbers, is_beyond};
use lastack_model::script::{Assertion, Body, Call, Pattern, Place, Script, Step, When};
use lastack_model::state::State;
use lastack_model::tcp::moment::Moment;
use lastack_model::tcp::segment::{Control, Segment};
use lastack_model::tcp::seq::SeqNumber;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Plays the whole script, and says what is there at its end.
pub(super) fn observe(script: &Script, dialect: Dialect, ground: Ground) -> Result<Observed, Stop> {
    let mut driver = play(script, dialect, ground)?;
    let carries = |step: &Step| match &step.body {
        Body::Arrives(pattern) => pattern.sequence.length > 0 || pattern.control.has(Control::FIN),
        _ => false,
    };
    if driver.queue.is_empty() && script.steps.last().is_some_and(carries) {
        driver.await_acknowledgement()?;
    }
    let sent = driver.queue.iter().filter(|queued| queued.cause != Cause::Timer);
    let sent = sent.map(|queued| Segment { window: 0, ..queued.segment }).collect();
    let listens = driver.program.awaits_first;
    let state = if listens { State::Listen } else { Ground::state(driver.program.ports)? };
    Ok(Observed { sent, state, told: driver.program.told()? })
}

/// Plays the whole script.
pub(super) fn run(script: &Script, dialect: Dialect, ground: Ground) -> Result<(), Stop> {
    play(script, dialect, ground).map(|_| ())
}

fn play(script: &Script, dialect: Dialect, ground: Ground) -> Result<Driver<'_>, Stop> {
    if script.option("ip_version").is_some_and(|version| version != "ipv4") {
        let place = Place { line: 1, column: 1 };
        return Err(beyond("another version of IP than 4", place));
    }
    let asked = script.option("tolerance_usecs").and_then(|micros| micros.parse().ok());
    let mut driver = Driver {
        dialect,
        ground,
        program: Program::new(),
        flows: Vec::new(),
        queue: VecDeque::new(),
        began: Instant::now(),
        last: Moment(0),
        tolerance: Moment(asked.unwrap_or(0)).max(TOLERANCE),
        cause: Cause::Timer,
        iss: SeqNumber(0),
        blocked: None,
    };
    for (step, iss) in script.steps.iter().zip(first_numbers(&script.steps)) {
        driver.iss = iss;
        driver.step(step)?;
    }
    driver.return_now()?;
    Ok(driver)
}

struct Driver<'a> {
    dialect: Dialect,
    ground: Ground,
    program: Program,
    flows: Vec<Flow>,
    queue: VecDeque<Queued>,
    began: Instant,
    /// When the step before happened.
    last: Moment,
    tolerance: Moment,
    /// What has just been done to the kernel, and so why it sends.
    cause: Cause,
    /// The number that the script gives to the next SYN that is sent.
    iss: SeqNumber,
    blocked: Option<Blocked<'a>>,
}

struct Blocked<'a> {
    call: &'a Call,
    place: Place,
    until: Moment,
}

struct Queued {
    segment: Segment,
    cause: Cause,
    seen: Moment,
}

/// Why a segment was sent, and so whether a script may leave it out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Cause {
    /// A call or a segment called for it: it must be expected.
    Due,
    /// It acknowledges octets, which may wait (RFC 9293 §3.8.6.3), or tells of room after a read.
    MayWait,
    /// A timer ran out.
    Timer,
}

impl<'a> Driver<'a> {
    fn step(&mut self, step: &'a Step) -> Result<(), Stop> {
        let is_segment = matches!(step.body, Body::Arrives(_) | Body::Sent(_) | Body::Icmp(_));
        if !is_segment {
            self.return_now()?;
        }
        if let Body::Sent(pattern) = &step.body {
            self.expect(step, pattern)?;
            return self.return_if_ready();
        }
        let (due, _) = self.due(step.when);
        self.wait_until(due)?;
        self.last = due.max(self.now());
        match &step.body {
            Body::Arrives(pattern) => self.arrives(pattern, step.place)?,
            Body::Call(call) => self.call(step.when, call, step.place)?,
            Body::Shell(commands) => {
                commands.iter().try_for_each(|command| self.shell(command, step.place))?;
            }
            Body::Assert(Assertion::State(state)) => self.assert_state(*state, step.place)?,
            Body::Icmp(_) => return Err(beyond("an ICMP message", step.place)),
            Body::Unsupported(other) => return Err(beyond(other.what.clone(), step.place)),
            Body::Sent(_) => {}
        }
        self.return_if_ready()
    }

    fn now(&self) -> Moment {
        Moment(u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// The first and the last moment of a step.
    fn due(&self, when: When) -> (Moment, Moment) {
        match when {
            When::Start => (self.last, self.last),
            When::Any => (Moment(0), self.last + ANY),
            When::At(moment) => (moment, moment),
            When::Between(first, last) => (first, last),
            When::After(span) => (self.last + span, self.last + span),
            When::AfterBetween(first, last) => (self.last + first, self.last + last),
        }
    }

    /// Lets time pass, and takes what the kernel sends meanwhile.
    fn wait_until(&mut self, moment: Moment) -> Result<(), Stop> {
        while self.wait(moment)? {
            self.drain()?;
        }
        Ok(())
    }

    /// Waits until the kernel has sent something (true) or the moment has come.
    fn wait(&self, moment: Moment) -> Result<bool, Stop> {
        let left = Duration::from_micros(moment.0.saturating_sub(self.now().0));
        let limit = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        let ready = poll(&mut [PollFd::new(&self.ground.tun, PollFlags::IN)], Some(&limit));
        let ready = ready.map_err(|cause| Error::new("wait for", "the TUN device", cause))?;
        Ok(ready > 0)
    }

    /// Takes all that the kernel has sent.
    fn drain(&mut self) -> Result<(), Stop> {
        let mut packet = vec![0; LONGEST];
        while let Some(length) = self.ground.tun.receive(&mut packet)? {
            let Some((ports, sent)) = wire::read(&packet[..length]) else { continue };
            let flow = self.flow(ports);
            if sent.has(Control::SYN) && flow.own.is_none() {
                (flow.own, flow.named) = (Some(sent.seq), SeqNumber(0));
                let named = self.iss;
                self.flow(ports).named = named;
            }
            let bare = sent.sequence_length() == 0 && sent.control() == Control::NONE;
            let cause = match self.cause {
                Cause::MayWait if !bare => Cause::Due,
                cause => cause,
            };
            let segment = self.flow(ports).sent(&sent);
            let seen = self.now();
            self.queue.push_back(Queued { segment, cause, seen });
        }
        Ok(())
    }

    /// Octets and a FIN may be acknowledged later than at once. What is repeated meanwhile is no answer to them.
    fn await_acknowledgement(&mut self) -> Result<(), Stop> {
        let deadline = self.now() + DELAYED + self.tolerance;
        while self.queue.is_empty() && self.wait(deadline)? {
            self.drain_because(Cause::MayWait)?;
            self.queue.retain(|queued| queued.cause == Cause::MayWait);
        }
        Ok(())
    }

    /// Takes what the kernel sends because of what was just done: it does so before the call returns, as nothing on a
    /// TUN device's way is put off (`tun_get_user`, `tcp_push`).
    fn drain_because(&mut self, cause: Cause) -> Result<(), Stop> {
        self.cause = cause;
        let drained = self.drain();
        self.cause = Cause::Timer;
        drained
    }

    fn flow(&mut self, ports: Ports) -> &mut Flow {
        let at = self.flows.iter().position(|flow| flow.ports == ports).unwrap_or_else(|| {
            let zero = SeqNumber(0);
            self.flows.push(Flow { ports, own: None, named: zero, peer: zero });
            self.flows.len() - 1
        });
        &mut self.flows[at]
    }

    fn arrives(&mut self, pattern: &Pattern, place: Place) -> Result<(), Stop> {
        if let Some(option) = pattern.options.all.iter().find(|option| is_beyond(option)) {
            return Err(beyond(format!("the option '{option}'"), place));
        }
        let Some(written) = segment(pattern) else {
            return Err(beyond("numbers left open in a segment that arrives", place));
        };
        if written.length > MOST_CARRIED {
            return Err(beyond("a segment longer than a packet", place));
        }
        let opens = written.has(Control::SYN) && written.ack.is_none();
        let begins = opens && std::mem::take(&mut self.program.awaits_first);
        let left = self.queue.iter().find(|queued| queued.cause == Cause::Due);
        if let Some(left) = left.filter(|_| !begins) {
            let got = left.segment.to_string();
            return Err(failed(place, "nothing more to be sent before this segment", got));
        }
        self.queue.clear();
        self.program.awaits_first = false;
        let ports = self.program.ports;
        if opens && (begins || Ground::state(ports)? == State::Closed) {
            *self.flow(ports) = Flow { ports, own: None, named: SeqNumber(0), peer: written.seq };
        } else if written.has(Control::SYN) && Ground::state(ports)? == State::SynSent {
            self.flow(ports).peer = written.seq;
        }
        let window = self.program.declared_window;
        let arriving = self.flow(ports).arriving(&moved(&written, window));
        let packet = wire::packet(Ends { own: OWN, peer: PEER, ports }, &arriving, pattern);
        self.ground.tun.send(&packet)?;
        let octets = written.length > 0 && !written.has(Control::FIN);
        self.drain_because(if octets { Cause::MayWait } else { Cause::Due })
    }

    fn call(&mut self, when: When, call: &'a Call, place: Place) -> Result<(), Stop> {
        let Some(until) = call.until else {
            self.program.call(call, place)?;
            return self.after(call);
        };
        let until = match when {
            When::At(_) | When::Between(..) => until,
            // The end counts from where its step begins.
            When::Start | When::Any | When::After(_) | When::AfterBetween(..) => self.last + until,
        };
        if call.name == "connect" {
            // What it returns is told when it does.
            let _begun = self.program.connect(call, place)?;
            self.after(call)?;
        }
        self.blocked = Some(Blocked { call, place, until });
        Ok(())
    }

    fn after(&mut self, call: &Call) -> Result<(), Stop> {
        let reads = matches!(call.name.as_str(), "read" | "recv");
        self.drain_because(if reads { Cause::MayWait } else { Cause::Due })
    }

    fn return_if_ready(&mut self) -> Result<(), Stop> {
        match self.blocked.take_if(|blocked| self.program.is_ready(blocked.call)) {
            Some(blocked) => self.returns(&blocked),
            None => Ok(()),
        }
    }

    /// A call that blocks has returned before anything else is asked, with what it must return.
    fn return_now(&mut self) -> Result<(), Stop> {
        let Some(blocked) = self.blocked.take() else { return Ok(()) };
        if !self.program.is_ready(blocked.call) {
            self.wait_until(blocked.until + self.tolerance)?;
        }
        self.returns(&blocked)
    }

    fn returns(&mut self, blocked: &Blocked<'a>) -> Result<(), Stop> {
        self.program.call(blocked.call, blocked.place)?;
        self.after(blocked.call)
    }
}

/// What a slow machine is given, as the kernel's own tests do (`KSFT_MACHINE_SLOW`).
const TOLERANCE: Moment = Moment::of_millis(14);
/// "At any time" ends.
const ANY: Moment = Moment::of_secs(10);
/// `TCP_DELACK_MAX`.
const DELAYED: Moment = Moment::of_millis(200);
const LONGEST: usize = 0xffff;
/// What fits a packet with its headers.
const MOST_CARRIED: u32 = 65_000;
