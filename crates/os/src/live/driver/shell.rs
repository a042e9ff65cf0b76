//! What a script asks the shell, and what it asserts: shapes that are recognised, never commands that are run.

use super::{Cause, Driver};
use crate::Result;
use crate::act::destroy::Destroyer;
use crate::live::ground::{self, Ground};
use crate::live::{Stop, beyond, failed};
use lastack_model::script::replay::Known;
use lastack_model::script::{Place, Shell};
use lastack_model::state::State;

impl Driver<'_> {
    pub(super) fn shell(&mut self, command: &Shell, place: Place) -> Result<(), Stop> {
        match command {
            Shell::SetUp(_) | Shell::Purge => Ok(()),
            Shell::Set(all) => all.iter().try_for_each(|(name, value)| {
                if self.dialect.set(name, value) == Known::No {
                    return Err(beyond(format!("the setting {name}={value}"), place));
                }
                if OBEYED.contains(&name.as_str()) { Ok(ground::set(name, value)?) } else { Ok(()) }
            }),
            Shell::Count(state, wanted) => {
                let is = self.count(*state)?;
                if is == *wanted as usize {
                    return Ok(());
                }
                let now = Ground::state(self.program.ports)?;
                let got = format!("{is}, and the connection in {now}");
                Err(failed(place, format!("{wanted} in {state}"), got))
            }
            Shell::Drop(state) => {
                let mut all = Ground::sockets()?;
                all.retain(|socket| socket.state == *state);
                Destroyer::open()?.destroy_all(&all)?;
                self.drain_because(Cause::Due)
            }
        }
    }

    /// How many sockets are in this state; one that is closed and still held shows in no listing.
    fn count(&self, state: State) -> Result<usize> {
        let all = Ground::sockets()?;
        let is = all.iter().filter(|socket| socket.state == state).count();
        if state != State::Closed {
            return Ok(is);
        }
        let waits = all.iter().filter(|socket| socket.state == State::TimeWait).count();
        Ok(self.program.closed().saturating_sub(waits))
    }

    pub(super) fn assert_state(&self, state: State, place: Place) -> Result<(), Stop> {
        let listens = self.program.awaits_first;
        let is = if listens { State::Listen } else { Ground::state(self.program.ports)? };
        if is == state {
            return Ok(());
        }
        Err(failed(place, state.to_string(), is.to_string()))
    }
}

/// The settings that scripts change and that change what is compared.
const OBEYED: [&str; 1] = ["net.ipv4.tcp_rfc1337"];
