//! From a host's name to a connection from a reserved port: each of its addresses is tried in turn.

use crate::{Cause, Failure, Ran, Stage};
use lastack_graceful::ports::{self, ConnectError, Lease, Obstacle, Ports};
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout_at;

/// A connection to the host.
#[derive(Debug)]
pub(super) struct Dialled {
    pub(super) stream: TcpStream,
    pub(super) lease: Lease,
    pub(super) to: SocketAddr,
}

/// The time there is: until when, and what was given in all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time {
    pub(super) until: Instant,
    pub(super) limit: Duration,
}

/// Connects; what went wrong with addresses before the one that answered goes into the notes. It may be dropped.
pub(super) async fn dial(
    ports: &Ports,
    host: &str,
    port: u16,
    time: Time,
    notes: &mut Vec<String>,
) -> Result<Dialled, Failure> {
    let addresses = resolve(host, port, time).await?;
    let mut left = addresses.len() as u32;
    for to in addresses {
        let now = Instant::now();
        let share = time.until.saturating_duration_since(now) / left;
        left -= 1;
        let is_dry = ports.standing(to).free == 0;
        let connected = ports::tokio::connect(ports, to, now + share).await;
        if is_dry {
            let waited = now.elapsed().as_secs_f64();
            notes.push(format!("waited {waited:.1} s for a local port toward {to}"));
        }
        match connected {
            Ok((stream, lease)) => return Ok(Dialled { stream, lease, to }),
            Err(error) if left == 0 => return Err(failure(&error, time)),
            Err(error) => notes.push(error.to_string()),
        }
    }
    Err(failed(Stage::Resolve, Cause::System("it has no address".into())))
}

async fn resolve(host: &str, port: u16, time: Time) -> Result<Vec<SocketAddr>, Failure> {
    // As in a URL.
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let found = match timeout_at(time.until.into(), lookup_host((bare, port))).await {
        Err(_) => return Err(failed(Stage::Resolve, Cause::TimedOut(time.limit))),
        Ok(found) => found.map(Iterator::collect),
    };
    found.map_err(|error: io::Error| {
        let words = error.to_string();
        let words = words.strip_prefix("failed to lookup address information: ").unwrap_or(&words);
        failed(Stage::Resolve, Cause::System(words.to_owned()))
    })
}

fn failure(error: &ConnectError, time: Time) -> Failure {
    let stage = match error.obstacle() {
        Obstacle::NoPortLeft { .. }
        | Obstacle::NotPermitted
        | Obstacle::AddressNotAvailable
        | Obstacle::PortInUse
        | Obstacle::FourTupleTaken => Stage::Port,
        _ => Stage::Connect,
    };
    let cause = match error.obstacle() {
        Obstacle::TimedOut => Cause::TimedOut(time.limit),
        _ => Cause::System(error.to_string()),
    };
    failed(stage, cause)
}

pub(super) const fn failed(stage: Stage, cause: Cause) -> Failure {
    Failure { stage, cause, ran: Ran::No }
}
