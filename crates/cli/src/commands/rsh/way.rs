//! What carries the commands: ssh or rsh, and how.

use super::course;
use super::wanted::Job;
use crate::args::rsh::RESERVED;
use crate::args::{RshArgs, Stderr, Via, WayArgs};
use crate::error::Error;
use crate::report::rsh::{Tally, say};
use lastack_graceful::ports::Ports;
use lastack_os::host;
use lastack_rsh::rcmd::{Errors, Options, Rsh, Session, local_user};
use lastack_rsh::ssh::{self, Settings, Sharing, Ssh};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Options that mean nothing on this way are refused: whoever typed them expects something of them.
pub(super) fn check(way: &WayArgs) -> Result<(), Error> {
    let (other, options) = match way.via {
        Via::Ssh => {
            let options = [
                (way.stderr.is_some(), "--stderr"),
                (way.half_close, "--half-close"),
                (!way.from.is_empty(), "--from"),
                (way.ports.is_some(), "--ports"),
            ];
            ("rsh", options.to_vec())
        }
        Via::Rsh => {
            let options = [
                (!way.ssh_option.is_empty(), "--ssh-option"),
                (way.persist.is_some(), "--persist"),
            ];
            ("ssh", options.to_vec())
        }
    };
    match options.iter().find(|(is_given, _)| *is_given) {
        Some((_, option)) => Err(Error::new(format!("{option} is for --via {other} only"))),
        None => Ok(()),
    }
}

/// What ssh is told.
pub(super) fn settings(way: &WayArgs, job: &Job) -> Settings {
    let sharing = match way.persist {
        Some(time) => Sharing::Persistent(time),
        None if job.commands.len() > 1 => Sharing::WithinRun,
        None => Sharing::No,
    };
    Settings { port: way.port, options: way.ssh_option.clone(), sharing }
}

/// Files that each host takes while its command runs.
pub(super) const fn descriptors_each(via: Via) -> u64 {
    match via {
        Via::Ssh => ssh::DESCRIPTORS_EACH,
        // Two connections, a listener, and what resolving its name takes for a moment.
        Via::Rsh => 8,
    }
}

/// Runs it, and leaves nothing behind.
pub(super) fn run(job: Job, args: &RshArgs) -> Result<Tally, Error> {
    match args.way.via {
        Via::Ssh => {
            let carrier = Arc::new(Ssh::new(settings(&args.way, &job))?);
            to_its_end(async {
                let tally = course::run(carrier.clone(), job, args).await;
                carrier.finish().await;
                tally
            })
        }
        Via::Rsh => {
            let rsh = Rsh::new(ports(&args.way)?, options(&args.way)?)
                .map_err(|cause| Error::new(format!("failed to open /dev/urandom: {cause}")))?;
            say(WARNING);
            if job.commands.len() == 1 {
                return to_its_end(course::run(Arc::new(rsh), job, args));
            }
            let session = Arc::new(Session::new(rsh));
            to_its_end(async {
                let tally = course::run(session.clone(), job, args).await;
                session.close(args.pace.grace).await;
                tally
            })
        }
    }
}

fn options(way: &WayArgs) -> Result<Options, Error> {
    let user = local_user().map_err(|cause| {
        Error::new(format!("failed to find out who you are, which rsh tells the servers: {cause}"))
    })?;
    let mut options = Options::new(user);
    options.port = way.port.unwrap_or(options.port);
    options.half_close = way.half_close;
    options.errors = match way.stderr {
        None | Some(Stderr::Acknowledged) => Errors::Acknowledged,
        Some(Stderr::Early) => Errors::Early,
        Some(Stderr::Merged) => Errors::Merged,
    };
    Ok(options)
}

/// The ports, shared with whoever else runs this.
fn ports(way: &WayArgs) -> Result<Ports, Error> {
    let chosen = way.ports.clone().unwrap_or(RESERVED);
    let others = left_alone(&chosen)?;
    let all = Ports::builder().ports(chosen).skip(others).at_random();
    let all = way.from.iter().fold(all, |all, address| all.address(*address));
    all.share().map_err(|cause| Error::new(format!("failed to {cause}")))
}

/// The ports that the host wants left alone. Some of those chosen must be left.
fn left_alone(chosen: &RangeInclusive<u16>) -> Result<BTreeSet<u16>, Error> {
    let blacklist = host::blacklist()?;
    for (line, text) in &blacklist.ignored {
        say(&format!("{}, line {line}: {text:?} is no port, and is passed over", host::BLACKLIST));
    }
    let ports: BTreeSet<u16> = blacklist.ports.into_iter().map(|port| port.0).collect();
    if chosen.clone().all(|port| ports.contains(&port)) {
        return Err(Error::new(format!(
            "no port is left of {}-{}: {} has them all (see --ports)",
            chosen.start(),
            chosen.end(),
            host::BLACKLIST
        )));
    }
    Ok(ports)
}

/// Runs it, and waits for nothing beside it: a resolver may take long to give up.
fn to_its_end(all: impl Future<Output = Result<Tally, Error>>) -> Result<Tally, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()
        .map_err(|cause| Error::new(format!("failed to start threads: {cause}")))?;
    let tally = runtime.block_on(all);
    runtime.shutdown_background();
    tally
}

const THREADS: usize = 2;
const WARNING: &str = "rsh is clear text and trusts addresses: whoever owns the network owns these \
                       hosts (--via ssh does neither)";
