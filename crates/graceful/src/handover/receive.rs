//! The side that receives listeners which another offers.

use super::frame::Frame;
use super::offer::{expect, hear, refused, say};
use super::{Listeners, Terms};
use lastack_os::Result;
use lastack_os::listener::{Examined, examine};
use lastack_os::passing::Channel;
use std::io::{Error as IoError, ErrorKind};
use std::path::Path;

/// The process that handed its listeners over, and serves on until it hears that this one does.
#[derive(Debug)]
#[must_use = "the other goes on serving until it is told"]
pub struct Predecessor {
    channel: Channel,
    terms: Terms,
}

impl Predecessor {
    /// Tells it that this process accepts connections, and returns when it has released the path, which this process may
    /// then offer at.
    ///
    /// # Errors
    ///
    /// When it is gone or does not answer in time. This process has the listeners in any case.
    pub fn ready(self) -> Result<()> {
        say(&self.channel, &Frame::Ready, &self.terms)?;
        expect(&self.channel, &Frame::Released, self.terms.soon())
    }

    /// Its pid; 0 where it lives in a PID namespace that is not seen from here.
    pub const fn pid(&self) -> u32 {
        self.channel.peer().pid.0
    }
}

pub(super) fn receive(path: &Path, terms: &Terms) -> Result<(Listeners, Predecessor)> {
    let channel = Channel::connect(path, terms.soon())?;
    terms.require_trust(&channel)?;
    say(&channel, &Frame::Hello, terms)?;
    let mut listeners = Listeners::new();
    loop {
        let total = receive_some(&channel, &mut listeners, terms)?;
        say(&channel, &Frame::Have(listeners.len() as u32), terms)?;
        if listeners.len() == total as usize {
            return Ok((listeners, Predecessor { channel, terms: terms.clone() }));
        }
    }
}

/// Receives the next of them, and says how many there are in all.
fn receive_some(channel: &Channel, listeners: &mut Listeners, terms: &Terms) -> Result<u32> {
    let wrong = |cause: String| refused(channel, IoError::new(ErrorKind::InvalidData, cause));
    let (frame, descriptors) = hear(channel, terms.soon())?;
    let Frame::Listeners { total, names } = frame else {
        return Err(wrong("it sent something else than listeners".into()));
    };
    if names.len() != descriptors.len() {
        let (names, descriptors) = (names.len(), descriptors.len());
        return Err(wrong(format!("it sent {names} names with {descriptors} descriptors")));
    }
    if listeners.len() + names.len() > total as usize {
        return Err(wrong(format!("it sent more than the {total} listeners it spoke of")));
    }
    for (name, descriptor) in names.into_iter().zip(descriptors) {
        match examine(&descriptor).map_err(|cause| refused(channel, cause))? {
            Examined::Listener(_) => {}
            Examined::Other(what) => {
                return Err(wrong(format!("what it calls {name:?} is {what}")));
            }
        }
        listeners.keep(name, descriptor.into()).map_err(|cause| refused(channel, cause))?;
    }
    Ok(total)
}
