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
    let (what, clock) = match progress.picture {
        Some((explanation, age)) => standing(explanation, age, progress.waited),
        None => (so_far(progress.waited), None),
    };
    let clock = clock.map(|clock| format!(", at {clock}")).unwrap_or_default();
    let end = left.map(|left| format!("; gives up in {}", whole(left))).unwrap_or_default();
    let joint = if progress.picture.is_some() { ": " } else { ", " };
    let forms = [
        format!("waiting for {head}{joint}{what}{clock}{end}"),
        format!("{head}{joint}{what}{clock}{end}"),
        format!("{head}{joint}{what}{clock}"),
        format!("{head}{joint}{what}"),
        what,
    ];
    let fits = |text: &&String| text.chars().count() <= width;
    let text = forms.iter().find(fits).unwrap_or(&forms[4]);
    text.chars().take(width).map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// What stands in the way, for how long, and when by the clock that ends.
fn standing(
    explanation: &Explanation,
    age: Duration,
    waited: Duration,
) -> (String, Option<String>) {
    let Some(conflict) = explanation.conflicts.first() else {
        return (format!("refused, {}", so_far(waited)), None);
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
            (format!("{what}, {} left", whole(least.saturating_sub(age))), Some(phrase::clock(end)))
        }
        Outlook::Timed(_) => (format!("{what}, ends any moment"), None),
        Outlook::Held | Outlook::Announced | Outlook::Unknown => {
            let who = conflict
                .holders
                .first()
                .map(|holder| format!(" of {} (pid {})", holder.process.name, holder.process.pid));
            (format!("{what}{}, {}", who.unwrap_or_default(), so_far(waited)), None)
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
