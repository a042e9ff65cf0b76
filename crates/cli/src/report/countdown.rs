//! One line on a terminal that says what is waited for and for how much longer, written anew every second.
//!
//! It is talk and goes to the standard error; where no terminal shows that, nothing is written.

use super::phrase;
use crate::address::Target;
use crate::args::Until;
use crate::waiting::Progress;
use lastack_model::waiting::{Hearing, Outlook};
use lastack_model::why::Explanation;
use std::env;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// The line; gone when dropped.
#[derive(Debug)]
pub struct Countdown {
    shown: bool,
    head: String,
    deadline: Option<Instant>,
    /// The second and the picture of the line that stands there.
    last: Option<(u64, Option<u64>)>,
}

impl Countdown {
    /// For this wait, if a terminal shows the standard error and can erase a line.
    pub fn on_terminal(target: &Target, until: Until, deadline: Option<Instant>) -> Self {
        let dumb = env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        Self {
            shown: io::stderr().is_terminal() && !dumb,
            head: match until {
                Until::Bindable => target.asked.clone(),
                Until::Listening => format!("a listener on {}", target.asked),
                Until::Connectable => format!("an answer from {}", target.asked),
            },
            deadline,
            last: None,
        }
    }

    /// Brings it up to date.
    pub fn show(&mut self, progress: &Progress<'_>) {
        if !self.shown {
            return;
        }
        let state = (
            progress.waited.as_secs(),
            progress.picture.map(|(explanation, _)| explanation.taken_at_ms),
        );
        if self.last.replace(state) == Some(state) {
            return;
        }
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let text = line(&self.head, progress, left, width());
        // Somebody who cannot read it is not served by an error.
        let _ = write!(io::stderr(), "\r{text}{ERASE_REST}");
    }
}

impl Drop for Countdown {
    fn drop(&mut self) {
        if self.last.is_some() {
            let _ = write!(io::stderr(), "\r{ERASE_REST}");
        }
    }
}

/// The text, no wider than so many columns: what matters least is left out first.
fn line(head: &str, progress: &Progress<'_>, left: Option<Duration>, width: usize) -> String {
    let Standing { what, holder, time, clock } = match progress.picture {
        Some((explanation, age)) => standing(explanation, age, progress.waited),
        None => Standing { time: so_far(progress.waited), ..Standing::default() },
    };
    let (joint, comma) = match (progress.picture, what.is_empty()) {
        (None, _) => (", ", ""),
        (Some(_), true) => (": ", ""),
        (Some(_), false) => (": ", ", "),
    };
    let end = left.map(|left| format!("; gives up in {}", whole(left))).unwrap_or_default();
    let forms = [
        format!("waiting for {head}{joint}{what}{holder}{comma}{time}{clock}{end}"),
        format!("{head}{joint}{what}{holder}{comma}{time}{clock}{end}"),
        format!("{head}{joint}{what}{holder}{comma}{time}{clock}"),
        format!("{head}{joint}{what}{comma}{time}{clock}"),
        format!("{head}{joint}{what}{comma}{time}"),
        format!("{what}{comma}{time}"),
        time,
    ];
    let fits = |text: &&String| text.chars().count() <= width;
    let text = forms.iter().find(fits).unwrap_or(&forms[6]);
    text.chars().take(width).map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// What stands in the way, whose it is, for how long, and when by the clock that ends.
#[derive(Default)]
struct Standing {
    what: String,
    holder: String,
    time: String,
    clock: String,
}

fn standing(explanation: &Explanation, age: Duration, waited: Duration) -> Standing {
    let Some(conflict) = explanation.conflicts.first() else {
        let time = so_far(waited);
        return Standing { what: "refused".into(), time, ..Standing::default() };
    };
    let state = conflict.sockets.example.state;
    let what = match conflict.sockets.count {
        1 => state.to_string(),
        n => format!("{n} x {state}"),
    };
    match Outlook::of(explanation, Hearing::Deaf) {
        Outlook::Timed(least) if age < least => {
            let end =
                explanation.taken_at_ms + u64::try_from(least.as_millis()).unwrap_or_default();
            let time = format!("{} left", whole(least.saturating_sub(age)));
            let clock = format!(", at {}", phrase::clock(end));
            Standing { what, time, clock, ..Standing::default() }
        }
        Outlook::Timed(_) => {
            Standing { what, time: "ends any moment".into(), ..Standing::default() }
        }
        Outlook::Held | Outlook::Announced | Outlook::Unknown => {
            let process = conflict.holders.first().map(|holder| &holder.process);
            let holder = process.map(|it| format!(" of {} (pid {})", it.name, it.pid));
            let holder = holder.unwrap_or_default();
            Standing { what, holder, time: so_far(waited), ..Standing::default() }
        }
    }
}

fn so_far(waited: Duration) -> String {
    format!("{} so far", phrase::duration(waited.as_secs() * 1000))
}

fn whole(time: Duration) -> String {
    phrase::duration(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// The last column stays empty: a terminal may wrap after it.
fn width() -> usize {
    let terminal = rustix::termios::tcgetwinsize(io::stderr()).ok();
    let columns = terminal.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
    columns.unwrap_or(80) - 1
}

const ERASE_REST: &str = "\x1b[K";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_least_is_left_out_where_the_line_is_narrow() {
        let progress = Progress { waited: Duration::from_millis(3_900), picture: None };
        let left = Some(Duration::from_millis(56_100));
        let at = |width| line("a listener on 8080", &progress, left, width);
        assert_eq!(at(79), "waiting for a listener on 8080, 3 s so far; gives up in 57 s");
        assert_eq!(at(50), "a listener on 8080, 3 s so far; gives up in 57 s");
        assert_eq!(at(39), "a listener on 8080, 3 s so far");
        assert_eq!(at(20), "3 s so far");
        assert_eq!(at(4), "3 s ");
    }
}
