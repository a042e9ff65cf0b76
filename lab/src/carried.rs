//! Tasks carried to their hosts by a carrier of `lastack-rsh`, so many at once, and everything that came of them.
//!
//! The runtime's threads are in the network namespace of the thread that made it.

use crate::stock::Tally;
use lastack_rsh::{Carrier, Limits, Output, Piece, Report, Signal, Source, Stdin, Stop, Task};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedSender, channel, unbounded_channel};
use tokio::sync::watch::Sender;

/// A carrier, and what runs it.
#[derive(Debug)]
pub struct Carriage<C> {
    carrier: Arc<C>,
    runtime: Runtime,
    stop: Sender<Option<Signal>>,
    stopped: Stop,
}

/// What came of one task.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Carried {
    /// How it went.
    pub report: Report,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
}

impl<C: Carrier> Carriage<C> {
    /// A runtime of the calling thread's namespace for this carrier, which is made within it.
    ///
    /// # Panics
    ///
    /// When there are no threads to be had.
    pub fn new(carrier: impl FnOnce() -> C) -> Self {
        let runtime = Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let carrier = {
            let _within = runtime.enter();
            Arc::new(carrier())
        };
        let (stop, stopped) = Stop::new();
        Self { carrier, runtime, stop, stopped }
    }

    /// The carrier.
    pub fn carrier(&self) -> &C {
        &self.carrier
    }

    /// Has everything that runs stop, now and later.
    pub fn stop(&self, signal: Signal) {
        let _ = self.stop.send(Some(signal));
    }

    /// Carries one task.
    pub fn one(&self, task: Task) -> Carried {
        self.all(vec![task], 1, |_| {}).remove(0)
    }

    /// Carries all of them, so many at once, and shows each piece of output as it comes.
    ///
    /// # Panics
    ///
    /// When a task does.
    pub fn all(
        &self,
        tasks: Vec<Task>,
        at_once: usize,
        mut seen: impl FnMut(&Piece),
    ) -> Vec<Carried> {
        let mut all: Vec<Option<Report>> = vec![None; tasks.len()];
        let mut written: Vec<(Vec<u8>, Vec<u8>)> = vec![Default::default(); tasks.len()];
        let (tasks, next) = (Arc::new(tasks), Arc::new(AtomicUsize::new(0)));
        let (queue, mut pieces) = channel(1024);
        let (done, mut reports) = unbounded_channel();
        self.runtime.block_on(async {
            for _ in 0..at_once {
                let (tasks, next) = (Arc::clone(&tasks), Arc::clone(&next));
                let lane = self.lane(tasks, next, queue.clone(), done.clone());
                tokio::spawn(lane);
            }
            drop((queue, done));
            while let Some(piece) = pieces.recv().await {
                seen(&piece);
                let (stdout, stderr) = &mut written[piece.task];
                match piece.source {
                    Source::Stdout => stdout.extend(&piece.octets),
                    Source::Stderr => stderr.extend(&piece.octets),
                }
            }
            while let Some((task, report)) = reports.recv().await {
                all[task] = Some(report);
            }
        });
        let reports = all.into_iter().map(|report| report.expect("no task panicked"));
        let carried = |(report, (stdout, stderr))| Carried { report, stdout, stderr };
        reports.zip(written).map(carried).collect()
    }

    /// One task after the other, as long as there are any.
    fn lane(
        &self,
        tasks: Arc<Vec<Task>>,
        next: Arc<AtomicUsize>,
        queue: tokio::sync::mpsc::Sender<Piece>,
        done: UnboundedSender<(usize, Report)>,
    ) -> impl Future<Output = ()> + use<C> {
        let (carrier, stop) = (Arc::clone(&self.carrier), self.stopped.clone());
        async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(task) = tasks.get(number) else { return };
                let output = Output::new(number, queue.clone());
                let report = carrier.run(task.clone(), output, stop.clone()).await;
                let _ = done.send((number, report));
            }
        }
    }

    /// Carries `echo ok` to these hosts by turns, and counts what came back.
    pub fn count(&self, hosts: &[String], commands: u32, at_once: usize) -> Tally {
        let tasks = (0..commands as usize).map(|n| task(&hosts[n % hosts.len()], "echo ok"));
        let began = Instant::now();
        let carried = self.all(tasks.collect(), at_once, |_| {});
        let elapsed = began.elapsed();
        let mut tally = Tally { elapsed, ..Tally::default() };
        for it in carried {
            match it.report.result {
                Ok(0) if it.stdout == b"ok\n" && it.stderr.is_empty() => tally.succeed(),
                Ok(status) => tally.fail(&format!("status {status}, {:?}", it.stdout)),
                Err(failure) => tally.fail(&failure.to_string()),
            }
        }
        tally
    }
}

/// A command, without input, that has half a minute to begin and a minute to end, since a machine may be busy.
pub fn task(host: &str, command: &str) -> Task {
    Task {
        host: host.into(),
        user: None,
        command: command.as_bytes().into(),
        stdin: Stdin::Nothing,
        limits: Limits {
            connect: Duration::from_secs(30),
            command: Some(Duration::from_secs(60)),
            ..Limits::default()
        },
    }
}
