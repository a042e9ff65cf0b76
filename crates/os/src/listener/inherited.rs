//! Listeners that came through `exec`, under numbers that the environment names.
//!
//! The environment may name anything. A number is taken over only if it is open, listens, and was not opened by this
//! program: what the standard library opens is closed on `exec`, so a descriptor with that mark cannot have come through
//! one. It gets the mark here, so that it is neither passed on to children nor taken over twice.

use super::{Examined, examine};
use crate::{Error, Result, sys};
use rustix::fd::BorrowedFd;
use rustix::io::{FdFlags, fcntl_getfd};
use std::io;
use std::net::TcpListener;

/// What was under a number.
#[derive(Debug)]
pub enum Inherited {
    /// A listener, which is ours now: closed on `exec`, its blocking mode as it was.
    Listener(TcpListener),
    /// Something else, left alone, in words that follow "it is".
    Other(&'static str),
}

/// Takes over the listeners among these descriptors, in their order. Each number may be named once.
///
/// # Errors
///
/// When one of them is not open, or was opened by this program or taken over before. Then none was taken over.
pub fn adopt(numbers: &[i32]) -> Result<Vec<Inherited>> {
    let failed = |number: i32, cause: io::Error| {
        Error::new("adopt", format!("descriptor {number}"), cause).with_remedy(REMEDY)
    };
    let mut kinds = Vec::new();
    for &number in numbers {
        let kind = sys::descriptor::look_at(number, |descriptor| inspect(number, descriptor));
        let kind = kind.and_then(std::convert::identity).map_err(|cause| failed(number, cause))?;
        kinds.push(kind);
    }
    let adopted = numbers.iter().zip(kinds).map(|(&number, kind)| match kind {
        Examined::Other(what) => Ok(Inherited::Other(what)),
        Examined::Listener(_) => sys::descriptor::take_over(number)
            .map(|descriptor| Inherited::Listener(descriptor.into()))
            .map_err(|cause| failed(number, cause)),
    });
    adopted.collect()
}

fn inspect(number: i32, descriptor: BorrowedFd<'_>) -> io::Result<Examined> {
    if number <= STANDARD_ERROR {
        return Ok(Examined::Other("one of the standard streams, which stay open"));
    }
    let examined = examine(&descriptor)?;
    let is_ours = fcntl_getfd(descriptor)?.contains(FdFlags::CLOEXEC);
    if is_ours && matches!(examined, Examined::Listener(_)) {
        return Err(io::Error::new(
            io::ErrorKind::ResourceBusy,
            "it did not come through exec, or was taken over before",
        ));
    }
    Ok(examined)
}

const STANDARD_ERROR: i32 = 2;
const REMEDY: &str =
    "the environment must name descriptors that were passed to this process, and be read once";
