//! The course of a fan-out: events to the report, signals to the fan-out.

use super::signals::{self, Bounds};
use super::wanted::Job;
use crate::args::RshArgs;
use crate::error::Error;
use crate::report::rsh::{Report, Standing, Tally};
use lastack_rsh::{Carrier, Signal, fan};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// Runs it to its end, and shows it.
pub(super) async fn run<C: Carrier>(
    carrier: Arc<C>,
    job: Job,
    args: &RshArgs,
) -> Result<Tally, Error> {
    let plan = job.plan(args);
    let standing = Arc::new(Mutex::new(Standing::new(&plan)));
    let mut report = Report::begin(plan, args, standing.clone())?;
    let signals = signals::catch()?;
    let (control, mut events) = fan::start(carrier.clone(), job.lists, job.terms);
    let bounds = Bounds { grace: args.pace.grace, total: args.pace.timeout };
    // To the end of the program: whoever reads the last words may be slow.
    drop(tokio::spawn(signals::heed(signals, control.clone(), standing, bounds)));
    let mut tick = interval(TICK);
    let mut look = interval(LOOK);
    for timer in [&mut tick, &mut look] {
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    }
    let mut told: Option<Instant> = None;
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            _ = tick.tick(), if report.shows_progress() => {
                report.progress();
                continue;
            }
            _ = look.tick(), if told.is_none_or(|at| at.elapsed() >= TELL_AGAIN) => {
                if let Some(words) = carrier.waits_for() {
                    report.tell(&words);
                    told = Some(Instant::now());
                }
                continue;
            }
        };
        let Some(event) = event else { break };
        report.take(event);
        if !report.is_read() {
            control.stop(Signal::Terminate);
        }
    }
    Ok(report.finish())
}

/// How often progress is shown.
const TICK: Duration = Duration::from_millis(200);
/// How often it is asked what holds tasks up on this host.
const LOOK: Duration = Duration::from_millis(500);
/// How soon a wait that lasts is told again.
const TELL_AGAIN: Duration = Duration::from_secs(15);
