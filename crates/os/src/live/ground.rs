//! Where a script is played: a namespace with one device, and settings under which nothing but the script decides.

use crate::sock_diag::{self, Filter};
use crate::tun::Tun;
use crate::{Error, Result};
use lastack_model::facts::{Socket, Transport};
use lastack_model::state::State;
use std::fs;
use std::io::ErrorKind;
use std::net::Ipv4Addr;

use super::wire::Ports;

/// A namespace made ready, that of the calling thread.
pub(crate) struct Ground {
    pub(super) tun: Tun,
}

impl Ground {
    /// Furnishes the namespace that the thread has just entered.
    pub(super) fn prepare() -> Result<Self> {
        for (name, value) in SETTINGS {
            set(name, value)?;
        }
        let tun = Tun::new("script")?;
        tun.bring_up(OWN, PEER)?;
        Ok(Self { tun })
    }

    /// Every TCP socket.
    pub(crate) fn sockets() -> Result<Vec<Socket>> {
        let filter = Filter::all(Transport::Tcp);
        sock_diag::fold(&filter, |all: &mut Vec<Socket>, socket| all.push(socket))
            .map(|dump| dump.folded)
    }

    /// The state of the connection between these ports.
    pub(super) fn state(ports: Ports) -> Result<State> {
        let is = |socket: &&Socket| {
            let peer = socket.remote.map(|remote| remote.port());
            socket.local.port() == ports.own && peer == Some(ports.peer)
        };
        Ok(Self::sockets()?.iter().find(is).map_or(State::Closed, |socket| socket.state))
    }
}

/// Writes a setting of the namespace; one that this kernel does not have per namespace keeps its default.
pub(crate) fn set(name: &str, value: &str) -> Result<()> {
    let path = format!("/proc/sys/{}", name.replace('.', "/"));
    match fs::write(&path, value) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(()),
        Err(cause) => Err(Error::new("write", path, cause)),
        Ok(()) => Ok(()),
    }
}

/// The address of the host under test, from a block for documentation (RFC 5737).
pub(super) const OWN: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// The other end's, likewise.
pub(super) const PEER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);

/// No challenge is held back, nothing is cached from elsewhere, no option or probe that scripts do not follow; Reno,
/// since a namespace may not choose what the host keeps to itself; room for the widest window without scaling.
pub(crate) const SETTINGS: [(&str, &str); 16] = [
    ("net.ipv4.conf.all.rp_filter", "0"),
    ("net.ipv4.conf.default.rp_filter", "0"),
    ("net.ipv4.tcp_app_win", "0"),
    ("net.ipv4.tcp_challenge_ack_limit", "2147483647"),
    ("net.ipv4.tcp_congestion_control", "reno"),
    ("net.ipv4.tcp_early_retrans", "0"),
    ("net.ipv4.tcp_ecn", "0"),
    ("net.ipv4.tcp_fastopen", "0"),
    ("net.ipv4.tcp_invalid_ratelimit", "0"),
    ("net.ipv4.tcp_moderate_rcvbuf", "0"),
    ("net.ipv4.tcp_no_metrics_save", "1"),
    ("net.ipv4.tcp_rmem", "4096 133600 133600"),
    ("net.ipv4.tcp_sack", "0"),
    ("net.ipv4.tcp_syncookies", "0"),
    ("net.ipv4.tcp_timestamps", "0"),
    ("net.ipv4.tcp_window_scaling", "0"),
];
