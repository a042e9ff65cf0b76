//! Step after step: time passes, the host acts, and what it does is compared with the script.

use super::dialect::{Dialect, IcmpEffect, Known};
use super::host::{Host, Nudged};
use super::wire::{self, Cause, Fit, Queued};
use super::{Failure, Stop};
use crate::script::{Assertion, Body, Call, Icmp, Pattern, Place, Script, Shell, Step, When};
use crate::state::State;
use crate::tcp::moment::Moment;
use crate::tcp::segment::Control;
use crate::tcp::seq::SeqNumber;

/// Replays the whole script, or as much of it as goes, and leaves the host as it then is.
pub(super) fn run(script: &Script, dialect: &Dialect) -> (Host, Result<(), Stop>) {
    let mut driver = Driver {
        host: Host::new(*dialect),
        now: Moment(0),
        last: Moment(0),
        blocked: None,
        has_read: false,
    };
    let mut steps = script.steps.iter().zip(first_numbers(&script.steps));
    let played = steps.try_for_each(|(step, iss)| {
        driver.host.iss = iss;
        driver.step(step)
    });
    let end = played.and_then(|()| driver.return_now());
    (driver.host, end)
}

/// For each step, the number with which the host under test would begin a connection there: the next SYN that is sent
/// says it.
pub fn first_numbers(steps: &[Step]) -> Vec<SeqNumber> {
    let mut next = SeqNumber(0);
    let mut numbers: Vec<SeqNumber> = steps
        .iter()
        .rev()
        .map(|step| {
            if let Body::Sent(pattern) = &step.body
                && pattern.control.has(Control::SYN)
            {
                next = SeqNumber(pattern.sequence.first.unwrap_or(0));
            }
            next
        })
        .collect();
    numbers.reverse();
    numbers
}

/// A replay under way.
struct Driver<'a> {
    host: Host,
    now: Moment,
    /// When the step before happened.
    last: Moment,
    /// A call that has not returned.
    blocked: Option<Blocked<'a>>,
    /// Whether the step before was a read.
    has_read: bool,
}

struct Blocked<'a> {
    call: &'a Call,
    place: Place,
    until: Moment,
}

impl<'a> Driver<'a> {
    fn step(&mut self, step: &'a Step) -> Result<(), Stop> {
        let segment = matches!(step.body, Body::Arrives(_) | Body::Sent(_) | Body::Icmp(_));
        if !segment {
            self.return_now()?;
        }
        let due = self.due(step.when);
        self.host.advance(due);
        self.now = due;
        self.last = due;
        let done = self.act(step).and_then(|()| self.return_if_ready());
        self.has_read =
            matches!(&step.body, Body::Call(call) if READS.contains(&call.name.as_str()));
        done
    }

    fn act(&mut self, step: &'a Step) -> Result<(), Stop> {
        let place = step.place;
        match &step.body {
            Body::Arrives(pattern) => self.arrives(pattern, place),
            Body::Sent(pattern) => self.expect(pattern, place),
            Body::Icmp(icmp) => self.icmp(icmp, place),
            Body::Call(call) => self.call(step.when, call, place),
            Body::Shell(commands) => {
                commands.iter().try_for_each(|command| self.shell(command, place))
            }
            Body::Assert(Assertion::State(state)) => {
                let is = self.host.asserted_state();
                ensure(is == *state, place, || (state.to_string(), is.to_string()))
            }
            Body::Unsupported(unsupported) => Err(beyond(unsupported.what.clone(), place)),
        }
    }

    fn due(&self, when: When) -> Moment {
        let due = match when {
            When::Start => self.last,
            When::Any => self.now,
            When::At(moment) | When::Between(moment, _) => moment,
            When::After(span) | When::AfterBetween(span, _) => self.last + span,
        };
        due.max(self.now)
    }

    fn arrives(&mut self, pattern: &Pattern, place: Place) -> Result<(), Stop> {
        if let Some(option) = pattern.options.all.iter().find(|option| is_beyond(option)) {
            return Err(beyond(format!("the option '{option}'"), place));
        }
        let Some(written) = wire::segment(pattern) else {
            return Err(beyond("numbers left open in a segment that arrives", place));
        };
        let segment = self.host.base.arriving(&written);
        let left = self.host.sent.iter().find(|queued| queued.cause == Cause::Due);
        if let Some(left) = left.filter(|_| !self.host.begins_anew(&segment)) {
            let got = left.segment.to_string();
            return Err(failed(place, "nothing more to be sent before this segment", got));
        }
        let crossing = self.host.state() == State::SynSent && segment.ack.is_none();
        if crossing && segment.has(Control::SYN) && segment.length > 0 {
            return Err(beyond("data with a SYN that crosses another", place));
        }
        self.host.sent.clear();
        self.host.journal.arrives(&written, self.host.connections.len());
        self.host.arrive(self.now, &segment);
        self.host.follow();
        Ok(())
    }

    fn icmp(&mut self, icmp: &Icmp, place: Place) -> Result<(), Stop> {
        self.host.journal.note(format!("ICMP {} {} arrives", icmp.kind, icmp.code));
        match (self.host.dialect.icmp)(icmp) {
            IcmpEffect::Unknown if self.host.state() == State::SynSent => {
                Err(beyond(format!("the ICMP message {} {}", icmp.kind, icmp.code), place))
            }
            IcmpEffect::Refuses => {
                self.host.refuse(self.now, icmp.about);
                Ok(())
            }
            IcmpEffect::Unknown | IcmpEffect::Nothing => Ok(()),
        }
    }

    /// The head of what was sent must fit. What may be missing in a script is passed over.
    fn expect(&mut self, pattern: &Pattern, place: Place) -> Result<(), Stop> {
        if let Some(option) = pattern.options.all.iter().find(|option| is_beyond(option)) {
            return Err(beyond(format!("the option '{option}'"), place));
        }
        let mut nudges = 0;
        let mut passed_over = None;
        loop {
            let Some(head) = self.host.sent.pop_front() else {
                if nudges < MOST_NUDGES && self.host.nudge(self.now) == Nudged::Yes {
                    nudges += 1;
                    continue;
                }
                if self.may_be_window_update(pattern) {
                    return Err(beyond("an update of the window", place));
                }
                let got = passed_over.unwrap_or_else(|| "nothing".to_owned());
                return Err(failed(place, wire::shown(pattern), got));
            };
            let segment = self.as_long(head, pattern);
            match wire::fit(pattern, &segment.segment) {
                Fit::Whole => return Ok(()),
                Fit::Begins(rest) => {
                    self.host.sent.push_front(Queued { segment: rest, ..segment });
                    return Ok(());
                }
                Fit::Not if head.cause == Cause::Due => {
                    return Err(failed(place, wire::shown(pattern), head.segment.to_string()));
                }
                Fit::Not if wire::is_tail(pattern, &head.segment) => {
                    return Err(beyond("a tail loss probe or selective retransmission", place));
                }
                Fit::Not => passed_over = Some(head.segment.to_string()),
            }
        }
    }

    /// A bare acknowledgement right after a read: room was made, which this model does not follow.
    fn may_be_window_update(&self, pattern: &Pattern) -> bool {
        self.has_read && pattern.sequence.length == 0 && pattern.control == Control::NONE
    }

    /// Joins what was sent in pieces until it is as long as what is expected.
    fn as_long(&mut self, head: Queued, pattern: &Pattern) -> Queued {
        let mut whole = head;
        while whole.segment.length < pattern.sequence.length {
            let next =
                self.host.sent.front().and_then(|next| wire::joined(&whole.segment, &next.segment));
            let Some(segment) = next else { break };
            self.host.sent.pop_front();
            whole.segment = segment;
        }
        whole
    }

    fn call(&mut self, when: When, call: &'a Call, place: Place) -> Result<(), Stop> {
        if let Some(until) = call.until {
            let until = match when {
                When::At(_) | When::Between(..) => until,
                // The end counts from where its step begins.
                When::Start | When::Any | When::After(_) | When::AfterBetween(..) => {
                    self.last + until
                }
            };
            if call.name == "connect" {
                // What it returns is told when it does.
                let _begun = self.host.connect(self.now, call, place)?;
            }
            self.blocked = Some(Blocked { call, place, until });
            return Ok(());
        }
        self.host.call(self.now, call, place)
    }

    /// A call that blocks returns as soon as it can; when is not compared.
    fn return_if_ready(&mut self) -> Result<(), Stop> {
        match self.blocked.take_if(|call| self.host.is_ready(call.call)) {
            Some(blocked) => self.host.call(self.now, blocked.call, blocked.place),
            None => Ok(()),
        }
    }

    /// A call that blocks has returned before anything else is asked, with what it must return.
    fn return_now(&mut self) -> Result<(), Stop> {
        let Some(blocked) = self.blocked.take() else { return Ok(()) };
        self.now = self.now.max(blocked.until);
        self.host.advance(self.now);
        self.host.call(self.now, blocked.call, blocked.place)
    }

    fn shell(&mut self, command: &Shell, place: Place) -> Result<(), Stop> {
        match command {
            Shell::SetUp(_) | Shell::Purge => Ok(()),
            Shell::Set(all) => {
                all.iter().try_for_each(|(name, value)| match self.host.dialect.set(name, value) {
                    Known::Yes => Ok(()),
                    Known::No => Err(beyond(format!("the setting {name}={value}"), place)),
                })
            }
            Shell::Count(state, wanted) => {
                let is = self.host.count(*state);
                ensure(is == *wanted, place, || {
                    let got = format!("{is}, and the connection in {}", self.host.state());
                    (format!("{wanted} in {state}"), got)
                })
            }
            Shell::Drop(state) => {
                self.host.drop_all(self.now, *state);
                Ok(())
            }
        }
    }
}

/// Options with which a segment means more than it says.
pub fn is_beyond(option: &str) -> bool {
    let name = option.split_whitespace().next().unwrap_or("");
    matches!(name, "FO" | "FOEXP" | "md5" | "mptcp" | "mp_capable" | "add_address" | "dss")
}

pub(super) fn beyond(what: impl Into<String>, place: Place) -> Stop {
    Stop::Beyond(what.into(), place)
}

pub(super) fn failed(place: Place, expected: impl Into<String>, got: impl Into<String>) -> Stop {
    Stop::Failed(Failure { place, expected: expected.into(), got: got.into() })
}

pub(super) fn ensure(
    holds: bool,
    place: Place,
    otherwise: impl FnOnce() -> (String, String),
) -> Result<(), Stop> {
    if holds {
        return Ok(());
    }
    let (expected, got) = otherwise();
    Err(failed(place, expected, got))
}

/// Calls that make room.
const READS: [&str; 2] = ["read", "recv"];

/// More would find a retransmission for anything.
const MOST_NUDGES: u32 = 2;
