//! What must be sent: the head of what the kernel sent is held against what a script expects.

use super::{Cause, DELAYED, Driver, Queued};
use crate::live::{Stop, beyond, failed};
use lastack_model::script::replay::is_beyond;
use lastack_model::script::replay::wire::{Fit, fit, joined, shown};
use lastack_model::script::{Pattern, Step};
use lastack_model::tcp::moment::Moment;
use lastack_model::tcp::segment::Control;

impl Driver<'_> {
    /// The head of what was sent must fit, within its time. What may be missing in a script is passed over.
    pub(super) fn expect(&mut self, step: &Step, pattern: &Pattern) -> Result<(), Stop> {
        if let Some(option) = pattern.options.all.iter().find(|option| is_beyond(option)) {
            return Err(beyond(format!("the option '{option}'"), step.place));
        }
        let (first, last) = self.due(step.when);
        let deadline = self.latest(pattern, last);
        let mut passed_over = None;
        loop {
            while self.queue.is_empty() {
                if !self.wait(deadline)? {
                    let got = passed_over.unwrap_or_else(|| "nothing".to_owned());
                    return Err(failed(step.place, shown(pattern), got));
                }
                self.drain()?;
            }
            let Some(head) = self.queue.pop_front() else { continue };
            let whole = self.as_long(head, pattern);
            match fit(pattern, &whole.segment) {
                Fit::Not if whole.cause == Cause::Due => {
                    return Err(failed(step.place, shown(pattern), whole.segment.to_string()));
                }
                Fit::Not => passed_over = Some(whole.segment.to_string()),
                fits => {
                    if whole.seen + self.tolerance < first {
                        let early = format!("it at {} already", whole.seen);
                        let wanted = format!("{} at {first}", shown(pattern));
                        return Err(failed(step.place, wanted, early));
                    }
                    self.last = whole.seen.max(first);
                    if let Fit::Begins(rest) = fits {
                        self.queue.push_front(Queued { segment: rest, ..whole });
                    }
                    return Ok(());
                }
            }
        }
    }

    /// The moment after which a segment that should be sent by then is missing. Timers run late by up to an eighth of
    /// their length (the wheel of `kernel/time/timer.c`), acknowledgements wait up to 200 ms (`TCP_DELACK_MAX`).
    fn latest(&self, pattern: &Pattern, last: Moment) -> Moment {
        let length = Moment(last.0.saturating_sub(self.last.0) / 8);
        let bare = pattern.control == Control::NONE && pattern.sequence.length == 0;
        let delay = if bare { DELAYED } else { Moment(0) };
        last.max(self.now()) + length + delay + self.tolerance
    }

    /// Joins what was sent in pieces until it is as long as what is expected.
    fn as_long(&mut self, head: Queued, pattern: &Pattern) -> Queued {
        let mut whole = head;
        while whole.segment.length < pattern.sequence.length {
            let next = self.queue.front().and_then(|next| joined(&whole.segment, &next.segment));
            let Some(segment) = next else { break };
            self.queue.pop_front();
            whole.segment = segment;
        }
        whole
    }
}
