//! The steps of a trial whose words go through a layer.
//!
//! Where a trial only looks whether an answer begins, a layer must read: what is there may be words of the layer alone,
//! such as the tickets of TLS 1.3 (RFC 8446 §4.6.1). It reads record by record then, so that of an answer no more than
//! its first record is taken from the kernel.

use super::{Dialogue, PollFlags, ready};
use lastack_model::probe::{Moment, Talk, Told};
use rustix::io::Errno;
use rustix::net::{self, RecvFlags, SendFlags};
use std::io;
use std::time::Instant;

impl Dialogue {
    /// Carries the handshake on.
    pub(super) fn secure(
        &mut self,
        talk: &mut Talk,
        room: &mut [u8],
        until: Moment,
        most: Instant,
    ) -> io::Result<()> {
        let until_then = self.moment(until).min(most);
        let Some(above) = &mut self.above else {
            let cause = "the trial begins with a handshake, and no layer makes one";
            return self.fails(cause.into(), talk);
        };
        if above.wire.is_empty() && above.layer.agreed().is_none() {
            // It may have something to say first.
            if let Err(cause) = above.take(&[]) {
                return self.fails(cause, talk);
            }
        }
        if !above.wire.is_empty() {
            let flags = PollFlags::OUT;
            return if ready(&self.socket, flags, until_then)?.is_empty() {
                self.time(talk, until)
            } else {
                self.send_record(talk)
            };
        }
        if let Some(agreed) = above.layer.agreed() {
            let seen = self.seen()?;
            talk.handle_secured(agreed, seen);
            return Ok(());
        }
        if ready(&self.socket, PollFlags::IN, until_then)?.is_empty() {
            return self.time(talk, until);
        }
        let appetite = at_once(above.layer.appetite(), room.len());
        self.receive(talk, &mut room[..appetite])
    }

    /// Sends `close_notify`, together with the FIN that follows.
    pub(super) fn notify(
        &mut self,
        talk: &mut Talk,
        until: Moment,
        most: Instant,
    ) -> io::Result<()> {
        if ready(&self.socket, PollFlags::OUT, self.moment(until).min(most))?.is_empty() {
            return self.time(talk, until);
        }
        let Some(above) = &mut self.above else { return Ok(()) };
        if !above.wire.is_empty() {
            return self.send_record(talk);
        }
        let mut farewell = Vec::new();
        above.layer.end(&mut farewell);
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL | SendFlags::MORE;
        match net::send(&self.socket, &farewell, flags) {
            // A part of so few octets means that there is no room: the FIN says the rest.
            Ok(sent) => talk.handle_notified(sent, self.seen()?),
            Err(Errno::AGAIN | Errno::INTR) => self.time(talk, until)?,
            Err(error) => return self.broken(error, Told::Writer, talk),
        }
        Ok(())
    }

    /// Sends of what waits as much as the kernel takes.
    pub(super) fn send_record(&mut self, talk: &mut Talk) -> io::Result<()> {
        let Some(above) = &mut self.above else { return Ok(()) };
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        match net::send(&self.socket, &above.wire, flags) {
            Ok(sent) => {
                let said = above.sent(sent);
                talk.handle_sealed(said, sent, self.seen()?);
                Ok(())
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(()),
            Err(error) => self.broken(error, Told::Writer, talk),
        }
    }

    /// Looks whether an answer begins, and keeps what shows it.
    pub(super) fn look_through(&mut self, talk: &mut Talk, room: &mut [u8]) -> io::Result<()> {
        let Some(above) = &self.above else { return Ok(()) };
        if above.heard.is_empty() {
            let appetite = at_once(above.layer.appetite(), room.len());
            self.receive(talk, &mut room[..appetite])?;
        }
        if self.has_heard() {
            talk.handle_readable(self.seen()?);
        } else if self.above.as_ref().is_some_and(|above| above.layer.has_ended()) {
            talk.handle_close_notify(self.seen()?);
        }
        Ok(())
    }

    /// Reads, and says what was heard.
    pub(super) fn read_through(&mut self, talk: &mut Talk, room: &mut [u8]) -> io::Result<()> {
        if !self.has_heard() {
            self.receive(talk, room)?;
        }
        let seen = self.seen()?;
        let Some(above) = &mut self.above else { return Ok(()) };
        let heard = std::mem::take(&mut above.heard);
        if !heard.is_empty() {
            talk.handle_unsealed(&heard, 0, seen);
        }
        if above.layer.has_ended() {
            talk.handle_close_notify(seen);
        }
        Ok(())
    }

    /// Whether something was heard that was not asked for yet.
    pub(super) fn has_heard(&self) -> bool {
        self.above.as_ref().is_some_and(|above| !above.heard.is_empty())
    }

    /// Octets from the socket to the layer.
    fn receive(&mut self, talk: &mut Talk, room: &mut [u8]) -> io::Result<()> {
        match net::recv(&self.socket, &mut *room, RecvFlags::DONTWAIT) {
            Ok((_, 0)) => talk.handle_end(self.seen()?),
            Ok((_, length)) => {
                talk.handle_unsealed(&[], length, self.seen()?);
                let Some(above) = &mut self.above else { return Ok(()) };
                if let Err(cause) = above.take(&room[..length]) {
                    return self.fails(cause, talk);
                }
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => return self.broken(error, Told::Reader, talk),
        }
        Ok(())
    }

    pub(super) fn fails(&self, cause: String, talk: &mut Talk) -> io::Result<()> {
        talk.handle_failure(cause, self.seen()?);
        Ok(())
    }
}

/// At least one octet, and no more than there is room for.
fn at_once(appetite: usize, room: usize) -> usize {
    appetite.clamp(1, room)
}
