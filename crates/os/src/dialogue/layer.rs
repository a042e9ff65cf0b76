//! What may lie between the words of a trial and the octets of its socket, such as TLS.
//!
//! The seam has no I/O on either side of it: a [`Layer`] turns words into octets and octets into words, and a dialogue
//! moves the octets. Without one they are the same.

use lastack_model::probe::Tls;
use std::fmt::Debug;

/// A layer above TCP, for one connection.
pub trait Layer: Debug {
    /// Turns these words into octets, which are added to `wire`.
    fn say(&mut self, words: &[u8], wire: &mut Vec<u8>) -> Result<(), String>;

    /// Says that nothing more is said.
    fn end(&mut self, wire: &mut Vec<u8>);

    /// Takes octets, none at first, and adds what they say to `heard`, and what is to be answered to `wire`. An error
    /// ends the connection, and says why.
    fn take(
        &mut self,
        octets: &[u8],
        heard: &mut Vec<u8>,
        wire: &mut Vec<u8>,
    ) -> Result<(), String>;

    /// How many octets it may be given next that belong to one unit of it, for which nothing later is taken.
    fn appetite(&self) -> usize;

    /// What was agreed on, once the handshake is over.
    fn agreed(&self) -> Option<Tls>;

    /// Whether the other side has said that it says nothing more.
    fn has_ended(&self) -> bool;
}

/// A layer, with what waits on both sides of it.
#[derive(Debug)]
pub(super) struct Above {
    pub(super) layer: Box<dyn Layer>,
    /// What the kernel has not taken yet.
    pub(super) wire: Vec<u8>,
    /// What was heard and not asked for yet.
    pub(super) heard: Vec<u8>,
    /// How many octets of the message are in `wire`.
    pub(super) saying: usize,
}

impl Above {
    pub(super) fn new(layer: Box<dyn Layer>) -> Self {
        Self { layer, wire: Vec::new(), heard: Vec::new(), saying: 0 }
    }

    /// Takes what came; `None` begins.
    pub(super) fn take(&mut self, octets: &[u8]) -> Result<(), String> {
        self.layer.take(octets, &mut self.heard, &mut self.wire)
    }

    /// The next words, unless earlier ones still wait.
    pub(super) fn say(&mut self, words: &[u8]) -> Result<(), String> {
        if !self.wire.is_empty() {
            return Ok(());
        }
        let words = &words[..words.len().min(PIECE)];
        self.layer.say(words, &mut self.wire)?;
        self.saying = words.len();
        Ok(())
    }

    /// The kernel took so many octets; with how many of the message that makes.
    pub(super) fn sent(&mut self, octets: usize) -> usize {
        self.wire.drain(..octets);
        if self.wire.is_empty() { std::mem::take(&mut self.saying) } else { 0 }
    }
}

/// How much becomes one record: small, so that what the kernel takes of it is soon known.
const PIECE: usize = 4 << 10;
