//! The options of another process's socket, read on a duplicate of its descriptor (`pidfd_getfd`).
//!
//! Needs the right to trace the process. The duplicate is closed at once and nothing is changed.

use crate::process::Handle;
use crate::{Error, Result, sys};
use lastack_model::facts::{Descriptor, Holder, SocketOptions};
use lastack_model::ids::InterfaceIndex;
use lastack_model::truth::Truth;
use rustix::fd::{AsFd, OwnedFd};
use rustix::net::{AddressFamily, sockopt};
use rustix::process::{PidfdGetfdFlags, pidfd_getfd};

/// Reads the options of the socket that this holder holds.
pub fn read(holder: &Holder) -> Result<SocketOptions> {
    let socket = duplicate(holder)?;
    let object = || format!("the options of {}", object(holder));
    let read = |cause| Error::new("read", object(), cause);
    let is_v6 = sockopt::socket_domain(&socket).map_err(read)? == AddressFamily::INET6;
    Ok(SocketOptions {
        reuse_address: Truth::from(sockopt::socket_reuseaddr(&socket).map_err(read)?),
        reuse_port: Truth::from(sockopt::socket_reuseport(&socket).map_err(read)?),
        v6only: if is_v6 {
            Truth::from(sockopt::ipv6_v6only(&socket).map_err(read)?)
        } else {
            Truth::No
        },
    })
}

/// Binds a socket of one's own to an interface (`SO_BINDTOIFINDEX`); the kernel does not check that it exists.
pub fn bind_to_interface(socket: &impl AsFd, interface: InterfaceIndex) -> Result<()> {
    sys::bind_to_interface(socket, interface.0)
        .map_err(|cause| Error::new("bind", format!("a socket to interface {interface}"), cause))
}

/// A duplicate of the held socket, checked to be that socket and not one that took its number since.
pub(crate) fn duplicate(holder: &Holder) -> Result<OwnedFd> {
    let failed = |cause| {
        Error::new("duplicate", object(holder), cause).with_remedy(
            "needs the right to trace the process: run as its user or with CAP_SYS_PTRACE",
        )
    };
    let Descriptor::Open { number, .. } = holder.descriptor else {
        return Err(failed(rustix::io::Errno::BADF));
    };
    let process = Handle::of(&holder.process)?;
    let process = process.ok_or_else(|| failed(rustix::io::Errno::SRCH))?;
    let socket = pidfd_getfd(&process, number, PidfdGetfdFlags::empty()).map_err(failed)?;
    let inode = rustix::fs::fstat(&socket).map_err(failed)?.st_ino;
    if inode == holder.inode.0 { Ok(socket) } else { Err(failed(rustix::io::Errno::STALE)) }
}

fn object(holder: &Holder) -> String {
    let process = &holder.process;
    match holder.descriptor {
        Descriptor::Open { number, .. } => {
            format!("descriptor {number} of pid {} ({})", process.pid, process.name)
        }
        Descriptor::InFlight { .. } => {
            format!("a descriptor in flight to pid {} ({})", process.pid, process.name)
        }
    }
}
