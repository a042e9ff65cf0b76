//! Settings, addresses and rights of the calling thread's namespace and user.

mod blacklist;
mod counts;
mod network;
mod sysctl;

pub use blacklist::{BLACKLIST, Blacklist, blacklist, parse_blacklist};
pub use counts::counts;
pub use network::{interfaces, ipv6_addresses, local_routes, source_toward};
pub use sysctl::{parse_port_set, sysctls};

use crate::process::{Capability, Credentials, own_credentials};
use crate::{Error, Result, sys};
use lastack_model::facts::{Asker, Host, KernelVersion};
use lastack_model::ids::{NamespaceId, Port, Uid};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Everything about the host that decides a bind before other sockets are looked at.
pub fn host() -> Result<Host> {
    let addresses = ipv6_addresses()?;
    Ok(Host {
        kernel: kernel_version(),
        taken_at_ms: now_ms(),
        namespace: own_namespace().ok(),
        asker: own_asker()?,
        sysctls: sysctls()?,
        routes: local_routes()?,
        addresses,
        interfaces: interfaces()?,
        ipv6: Path::new("/proc/thread-self/net/if_inet6").exists(),
    })
}

/// Who somebody with these credentials is to the rules.
pub const fn asker(credentials: &Credentials) -> Asker {
    Asker {
        uid: Uid(credentials.uid),
        may_bind_reserved: credentials.has(Capability::NetBindService),
        may_destroy: credentials.has(Capability::NetAdmin),
        may_inspect: credentials.has(Capability::SysPtrace),
    }
}

/// Who the calling thread is to the rules of its network namespace.
///
/// Capabilities count for nothing in a namespace that belongs to a user namespace above one's own (`ns_capable`):
/// "root" of a rootless container on the host's network is nobody there.
pub fn own_asker() -> Result<Asker> {
    let asker = asker(&own_credentials()?);
    let namespace =
        fs::File::open(OWN_NAMESPACE).map_err(|cause| Error::new("open", OWN_NAMESPACE, cause))?;
    let is_above = sys::namespace::owner_of(&namespace)
        .is_err_and(|cause| cause.raw_os_error() == Some(libc::EPERM));
    Ok(Asker {
        may_bind_reserved: asker.may_bind_reserved && !is_above,
        may_destroy: asker.may_destroy && !is_above,
        ..asker
    })
}

/// Whether the calling thread may bind every port from this one on; if not, the error says how to come by the right.
pub fn may_bind_from(lowest: Port) -> Result<()> {
    let start = sysctls()?.unprivileged_port_start;
    if lowest.0 >= start || own_asker()?.may_bind_reserved {
        return Ok(());
    }
    let cause = std::io::Error::from_raw_os_error(libc::EACCES);
    Err(Error::new("use", format!("ports from {lowest} on"), cause).with_remedy(format!(
        "ports below {start} need CAP_NET_BIND_SERVICE: give it to the program with `setcap \
         cap_net_bind_service=ep PROGRAM`, or start it with the ambient capability, as \
         `AmbientCapabilities=CAP_NET_BIND_SERVICE` of a unit or `setpriv --inh-caps \
         +net_bind_service --ambient-caps +net_bind_service` do; root has it"
    )))
}

/// The network namespace of the calling thread.
pub fn own_namespace() -> Result<NamespaceId> {
    let file =
        fs::metadata(OWN_NAMESPACE).map_err(|cause| Error::new("read", OWN_NAMESPACE, cause))?;
    Ok(NamespaceId(file.ino()))
}

/// What names this run of the kernel: another one after each start of the host.
pub fn boot_id() -> Result<String> {
    let text = fs::read_to_string(BOOT_ID).map_err(|cause| Error::new("read", BOOT_ID, cause))?;
    Ok(text.trim().to_owned())
}

/// Whether the calling thread's network namespace is the one that the host starts with: the kernel shows the settings
/// of the whole host in no other (`sysctl_ipv4_init` registers them for `init_net` alone).
pub fn is_first_namespace() -> bool {
    Path::new("/proc/sys/net/ipv4/tcp_mem").exists()
}

/// The wall clock, in milliseconds since the Unix epoch.
pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_millis() as u64)
}

/// The kernel's version.
pub fn kernel_version() -> KernelVersion {
    let name = rustix::system::uname();
    parse_version(&name.release().to_string_lossy())
}

fn parse_version(release: &str) -> KernelVersion {
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(|digits| digits.parse::<u16>().unwrap_or_default());
    KernelVersion::new(numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default())
}

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const OWN_NAMESPACE: &str = "/proc/thread-self/ns/net";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_names_its_version_whatever_follows() {
        assert_eq!(parse_version("6.18.44-generic"), KernelVersion::new(6, 18));
        assert_eq!(parse_version("5.10.0-33-amd64"), KernelVersion::new(5, 10));
        assert_eq!(parse_version("7.0-rc1"), KernelVersion::new(7, 0));
        assert_eq!(parse_version(""), KernelVersion::new(0, 0));
    }

    #[test]
    fn the_facts_of_this_host_include_loopback() {
        let host = host().expect("facts of this host");
        assert!(host.interface_named("lo").is_some(), "{:?}", host.interfaces);
        assert!(host.kernel >= KernelVersion::new(5, 10));
        assert!(host.taken_at_ms > 1_700_000_000_000);
    }
}
