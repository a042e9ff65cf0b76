//! Who waits to read or to write while somebody else ends the stream.
//!
//! The runtime keeps one waker for each direction. A closing waits in their places and then drops the stream, which wakes
//! nobody: whoever ends a stream wakes those who wait for it.

use std::task::{Context, Poll, Waker};

/// The last who waited in either direction.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Waiting {
    /// Nobody.
    pub(crate) const NOBODY: Self = Self { reader: None, writer: None };

    /// Remembers who has to wait to read.
    pub(crate) fn reading<T>(&mut self, polled: Poll<T>, context: &Context<'_>) -> Poll<T> {
        remember(&mut self.reader, polled, context)
    }

    /// Remembers who has to wait to write.
    pub(crate) fn writing<T>(&mut self, polled: Poll<T>, context: &Context<'_>) -> Poll<T> {
        remember(&mut self.writer, polled, context)
    }

    /// Wakes them.
    pub(crate) fn wake(self) {
        [self.reader, self.writer].into_iter().flatten().for_each(Waker::wake);
    }
}

fn remember<T>(who: &mut Option<Waker>, polled: Poll<T>, context: &Context<'_>) -> Poll<T> {
    let waker = context.waker();
    if polled.is_pending() && !who.as_ref().is_some_and(|known| known.will_wake(waker)) {
        *who = Some(waker.clone());
    }
    polled
}
