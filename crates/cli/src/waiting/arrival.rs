//! Waiting until somebody is there: listens at an address, or accepts a connection.

use super::{End, Limits, Obstacle, Progress, TICK, Waited};
use crate::error::Error;
use lastack_model::facts::Transport;
use lastack_model::ids::{InterfaceIndex, Port};
use lastack_model::waiting::{Cost, Outlook, Spot};
use lastack_os::reach::{Attempt, Reached};
use lastack_os::sock_diag::{self, Filter, States};
use lastack_os::usage;
use lastack_os::watch::{Ears, Watch, Woken};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Waits until somebody listens on one of these spots (UDP: has bound it), through this interface if one is named. The
/// kernel passes on listeners only, of which a host has few.
pub fn until_listening(
    (transport, port): (Transport, Port),
    spots: &[Spot],
    device: Option<InterfaceIndex>,
    limits: &Limits<'_>,
    on_progress: &mut dyn FnMut(&Progress<'_>),
) -> Result<Waited, Error> {
    let filter = match transport {
        Transport::Tcp => Filter::on_port(transport, port).in_states(States::LISTENING),
        Transport::Udp => Filter::on_port(transport, port),
    };
    let mut cost = Cost::default();
    let look = || {
        let before = usage::own_cpu();
        let dump = sock_diag::fold(&filter, |found: &mut bool, socket| {
            let through = device.is_none() || socket.device.is_none() || socket.device == device;
            *found |= through && spots.iter().any(|spot| spot.is_served_by(&socket));
        })?;
        if dump.folded {
            return Ok(None);
        }
        cost = cost.plus(usage::own_cpu().saturating_sub(before));
        let pause = Outlook::Held.pause(Duration::ZERO, cost);
        Ok(Some(Not { obstacle: Obstacle::NobodyListens, pause }))
    };
    let waited = repeat(look, limits, on_progress)?;
    Ok(Waited { looks: waited.trials, trials: 0, ..waited })
}

/// Waits until one of these addresses accepts a connection. Each attempt is a real one: the server accepts it and reads
/// its end.
pub fn until_connectable(
    addresses: &[SocketAddr],
    device: Option<InterfaceIndex>,
    limits: &Limits<'_>,
    on_progress: &mut dyn FnMut(&Progress<'_>),
) -> Result<Waited, Error> {
    let line = |to: &SocketAddr| Line { to: *to, under_way: None, begun: None, failure: None };
    let mut lines: Vec<Line> = addresses.iter().map(line).collect();
    let mut attempts = 0;
    let look = || {
        for line in &mut lines {
            attempts += u64::from(line.needs_attempt());
            if line.is_answered(device) {
                return Ok(None);
            }
        }
        let pause = lines.iter().map(Line::pause).min().unwrap_or(AGAIN);
        let obstacle = Obstacle::NobodyAnswers(lines.iter().map(Line::cause).collect());
        Ok(Some(Not { obstacle, pause }))
    };
    let waited = repeat(look, limits, on_progress)?;
    Ok(Waited { trials: attempts, ..waited })
}

/// Nobody is there yet: why, and when to look again.
struct Not {
    obstacle: Obstacle,
    pause: Duration,
}

/// One address that is being called, again and again.
struct Line {
    to: SocketAddr,
    under_way: Option<Attempt>,
    begun: Option<Instant>,
    failure: Option<String>,
}

impl Line {
    fn needs_attempt(&self) -> bool {
        let age = self.begun.map(|begun| begun.elapsed());
        match (&self.under_way, age) {
            (_, None) => true,
            (None, Some(age)) => age >= AGAIN,
            (Some(_), Some(age)) => age >= PATIENCE,
        }
    }

    /// Calls if it is time to, and hears whether somebody answers.
    fn is_answered(&mut self, device: Option<InterfaceIndex>) -> bool {
        let mut at_most = Duration::ZERO;
        if self.needs_attempt() {
            self.call(device);
            at_most = AT_FIRST;
        }
        match self.under_way.as_ref().and_then(|attempt| attempt.answer(at_most)) {
            Some(Reached::Yes) => return true,
            Some(Reached::No(cause)) => {
                self.failure = Some(words(&cause));
                self.under_way = None;
            }
            None => {}
        }
        false
    }

    fn call(&mut self, device: Option<InterfaceIndex>) {
        if self.under_way.take().is_some() {
            self.failure = Some("no answer".into());
        }
        self.begun = Some(Instant::now());
        match Attempt::begin(self.to, device.map(|device| device.0)) {
            Ok(attempt) => self.under_way = Some(attempt),
            Err(cause) => self.failure = Some(words(&cause)),
        }
    }

    fn pause(&self) -> Duration {
        match self.under_way {
            Some(_) => UNDER_WAY,
            None => AGAIN.saturating_sub(self.begun.map_or(AGAIN, |begun| begun.elapsed())),
        }
    }

    fn cause(&self) -> String {
        format!("{}: {}", self.to, self.failure.as_deref().unwrap_or("no answer yet"))
    }
}

/// The kernel's words for what went wrong, without their number.
fn words(cause: &std::io::Error) -> String {
    let text = cause.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

/// Looks until there is nothing left to say against it. Each look counts as a trial.
fn repeat(
    mut look: impl FnMut() -> Result<Option<Not>, Error>,
    limits: &Limits<'_>,
    on_progress: &mut dyn FnMut(&Progress<'_>),
) -> Result<Waited, Error> {
    let began = Instant::now();
    let mut watch = Watch { interrupt: limits.interrupt, ..Watch::default() };
    let mut trials = 0;
    let end = loop {
        trials += 1;
        let Some(Not { obstacle, pause }) = look()? else { break End::Reached };
        if limits.is_over() {
            break End::TimedOut(obstacle);
        }
        on_progress(&Progress { waited: began.elapsed(), picture: None });
        if watch.wait(limits.clip(pause.min(TICK)), Ears::Open)? == Woken::ByInterrupt {
            break End::Interrupted;
        }
    };
    Ok(Waited { end, time: began.elapsed(), looks: 0, trials })
}

/// How long after a refused attempt the next one follows.
const AGAIN: Duration = Duration::from_millis(100);
/// How long an attempt may go without an answer; the kernel has sent its first segment three times by then.
const PATIENCE: Duration = Duration::from_secs(4);
/// How often an attempt under way is looked at, and how long at first: most answers come at once.
const UNDER_WAY: Duration = Duration::from_millis(10);
const AT_FIRST: Duration = Duration::from_millis(1);
