//! Scripts against the kernel that runs: `lastack_model::script::replay` without the model.
//!
//! Each script gets a network namespace of its own, with a TUN device whose other end is this program. What arrives in
//! the script is written to the device, what is sent is read from it, and the calls are made on real sockets. So
//! nothing of it reaches any network, and all of it ends with the script. The rules of comparison are those of the
//! replay against a profile: what a timer sends may be left out, an acknowledgement of octets may wait, and options and
//! windows are not compared. In addition a segment must come neither before its time nor much after it.

mod calls;
mod driver;
pub(crate) mod ground;
mod many;
pub(crate) mod wire;

pub use many::observe_all;

use crate::{Error, Result, namespace};
use lastack_model::script::replay::{Dialect, Failure, Observed, Verdict};
use lastack_model::script::{Place, Script};
use std::thread;

/// Replays a script against this machine's kernel. Needs `CAP_SYS_ADMIN`, to make the namespace, and `CAP_NET_ADMIN`.
/// Takes as long as the script says.
pub fn replay(script: &Script) -> Result<Verdict> {
    let played = |ground| driver::run(script, Dialect::LINUX, ground);
    Ok(alone(script, played)?.map_or_else(|verdict| verdict, |()| Verdict::Pass))
}

/// Plays a script against this machine's kernel and says what is there at its end, as
/// `lastack_model::script::replay::observe` does for a profile; `Err` inside is why it does not get there.
pub fn observe(script: &Script) -> Result<std::result::Result<Observed, Verdict>> {
    alone(script, |ground| driver::observe(script, Dialect::LINUX, ground))
}

/// Plays a script in a namespace of its own, which ends with the thread that enters it.
fn alone<T: Send>(
    script: &Script,
    played: impl FnOnce(ground::Ground) -> std::result::Result<T, Stop> + Send,
) -> Result<std::result::Result<T, Verdict>> {
    if let Some(unsupported) = script.unsupported() {
        return Ok(Err(Verdict::Skipped(unsupported.to_string())));
    }
    let alone = || {
        namespace::enter_new()?;
        let ground = ground::Ground::prepare()?;
        match played(ground) {
            Ok(observed) => Ok(Ok(observed)),
            Err(Stop::Failed(failure)) => Ok(Err(Verdict::Fail(failure))),
            Err(Stop::Beyond(what, place)) => {
                Ok(Err(Verdict::Skipped(format!("{what} ({place})"))))
            }
            Err(Stop::Broken(error)) => Err(error),
        }
    };
    thread::scope(|scope| {
        let thread = scope.spawn(alone);
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Why a replay stops before the end.
enum Stop {
    Failed(Failure),
    Beyond(String, Place),
    /// The replay itself went wrong.
    Broken(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}

fn beyond(what: impl Into<String>, place: Place) -> Stop {
    Stop::Beyond(what.into(), place)
}

fn failed(place: Place, expected: impl Into<String>, got: impl Into<String>) -> Stop {
    Stop::Failed(Failure { place, expected: expected.into(), got: got.into() })
}

#[cfg(test)]
mod tests;
