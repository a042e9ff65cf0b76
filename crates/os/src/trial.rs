//! A trial bind: the kernel's own answer, got by binding a socket with the wanted options and closing it at once.
//!
//! It never listens. It takes the port for an instant and may change what the port remembers, so ask only where
//! the rules leave the answer open.

use crate::sys;
use lastack_model::bind::Request;
use lastack_model::errno::Errno;
use lastack_model::facts::{Family, Transport, TrialOutcome};
use rustix::fd::OwnedFd;
use rustix::io;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};
use rustix::thread::{self, CapabilitySet, CapabilitySets};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

/// As whom the trial is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TrialUser {
    /// As the caller.
    Caller,
    /// As another user without any capability, also when that is uid 0.
    User {
        /// The user.
        uid: u32,
        /// The group.
        gid: u32,
    },
    /// As another user with some capabilities, as a process may have them.
    UserWith {
        /// The user.
        uid: u32,
        /// The group.
        gid: u32,
        /// The effective capabilities, as a mask (`CapEff`); only those that a bind asks for are taken on.
        capabilities: u64,
    },
    /// As the caller in every right, but the socket carries this uid.
    CallerOwning(u32),
}

/// Asks the kernel by binding, in the calling thread's network namespace.
pub fn bind(request: &Request, user: TrialUser) -> TrialOutcome {
    if user == TrialUser::Caller {
        return attempt(request);
    }
    let changed = std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let became = match user {
                TrialUser::Caller => Ok(()),
                TrialUser::User { uid, gid } => become_user(uid, gid, 0),
                TrialUser::UserWith { uid, gid, capabilities } => {
                    become_user(uid, gid, capabilities)
                }
                TrialUser::CallerOwning(uid) => {
                    sys::set_thread_filesystem_user(uid).map_err(|cause| errno(&cause))
                }
            };
            became.map(|()| attempt(request))
        });
        thread.join()
    });
    match changed {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(cause)) => TrialOutcome::NotTried(format!("cannot become that user: {cause}")),
        Err(_) => TrialOutcome::NotTried("the trial did not finish".into()),
    }
}

/// Makes the calling thread that user with exactly the wanted ones of the capabilities that a bind asks for. Refuses
/// (`EPERM`) when the caller does not have them to keep: a trial with fewer would blame the wrong cause.
fn become_user(uid: u32, gid: u32, capabilities: u64) -> io::Result<()> {
    let wanted = CapabilitySet::from_bits_retain(capabilities) & ASKED_BY_BIND;
    if !thread::capabilities(None)?.permitted.contains(wanted) {
        return Err(io::Errno::PERM);
    }
    // Without this, leaving uid 0 drops them all (`cap_emulate_setxuid`).
    thread::set_keep_capabilities(true)?;
    sys::set_thread_user(uid, gid).map_err(|cause| errno(&cause))?;
    // Uid 0 keeps its capabilities in any case, so they are set even when none is wanted.
    let inheritable = CapabilitySet::empty();
    thread::set_capabilities(
        None,
        CapabilitySets { effective: wanted, permitted: wanted, inheritable },
    )
}

fn attempt(request: &Request) -> TrialOutcome {
    let socket = match prepare(request) {
        Ok(socket) => socket,
        Err(cause) => return TrialOutcome::NotTried(format!("cannot prepare a socket: {cause}")),
    };
    match net::bind(&socket, &address(request)) {
        Ok(()) => TrialOutcome::Bound,
        Err(cause) => TrialOutcome::Refused(Errno::from_raw(cause.raw_os_error())),
    }
}

fn prepare(request: &Request) -> io::Result<OwnedFd> {
    let family = match request.family() {
        Family::V4 => AddressFamily::INET,
        Family::V6 => AddressFamily::INET6,
    };
    let kind = match request.transport {
        Transport::Tcp => SocketType::STREAM,
        Transport::Udp => SocketType::DGRAM,
    };
    let socket = net::socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
    let options = request.options;
    sockopt::set_socket_reuseaddr(&socket, options.reuse_address)?;
    if options.reuse_port {
        sockopt::set_socket_reuseport(&socket, true)?;
    }
    if request.family() == Family::V6 {
        sockopt::set_ipv6_v6only(&socket, options.v6only)?;
    }
    if options.free_bind {
        sockopt::set_ip_freebind(&socket, true)?;
    }
    if let Some(device) = options.device {
        sys::bind_to_interface(&socket, device.0).map_err(|cause| errno(&cause))?;
    }
    Ok(socket)
}

fn address(request: &Request) -> SocketAddr {
    match request.address {
        IpAddr::V4(_) => SocketAddr::new(request.address, request.port.0),
        IpAddr::V6(ip) => {
            let scope = request.options.device.map_or(0, |device| device.0);
            SocketAddr::V6(SocketAddrV6::new(ip, request.port.0, 0, scope))
        }
    }
}

fn errno(cause: &std::io::Error) -> io::Errno {
    io::Errno::from_io_error(cause).unwrap_or(io::Errno::PERM)
}

/// `CAP_NET_BIND_SERVICE` for reserved ports (`inet_port_requires_bind_service`), `CAP_NET_RAW` for a device (before
/// 5.7), `CAP_NET_ADMIN` for either's transparent kind.
const ASKED_BY_BIND: CapabilitySet =
    CapabilitySet::NET_BIND_SERVICE.union(CapabilitySet::NET_RAW).union(CapabilitySet::NET_ADMIN);
