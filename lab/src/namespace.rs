//! A network namespace for the calling thread: loopback up, and if wanted a second device.
//!
//! It lives as long as the thread stays in it or a socket of it is open. Other threads of the process are not touched.

use crate::privilege::require_root;
use crate::rtnetlink::RouteNetlink;
use lastack_model::ids::InterfaceIndex;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::time::{Duration, Instant};

/// The namespace that the calling thread entered.
#[derive(Debug)]
pub struct Namespace {
    _private: (),
}

/// A second device with addresses of its own, wired to another in the same namespace.
#[derive(Clone, Copy, Debug)]
pub struct SecondDevice {
    /// Its index.
    pub index: InterfaceIndex,
    /// Its IPv4 address.
    pub v4: Ipv4Addr,
    /// Its global IPv6 address.
    pub v6: Ipv6Addr,
    /// Its link-local IPv6 address.
    pub link_local: Ipv6Addr,
}

impl Namespace {
    /// Moves the calling thread into a fresh namespace with loopback up, and waits until `::1` can be bound.
    ///
    /// # Panics
    ///
    /// When not root, or when the kernel cannot make one.
    pub fn enter() -> Self {
        require_root();
        lastack_os::namespace::enter_new().unwrap_or_else(|error| panic!("failed to {error}"));
        RouteNetlink::open().set_up(Self::LOOPBACK.0);
        wait_until_usable(IpAddr::V6(Ipv6Addr::LOCALHOST));
        Self { _private: () }
    }

    /// The index of loopback in every fresh namespace (`LOOPBACK_IFINDEX`).
    pub const LOOPBACK: InterfaceIndex = InterfaceIndex(1);

    /// Adds a veth pair, gives its first end addresses, and waits until they can be bound.
    ///
    /// # Panics
    ///
    /// When the kernel cannot make one.
    pub fn add_second_device(&self) -> SecondDevice {
        let netlink = RouteNetlink::open();
        netlink.add_veth_pair("v0", "v1");
        // An interface generates its own link-local address when it comes up, and would have to detect duplicates.
        self.set("ipv6/conf/v0/addr_gen_mode", "1");
        self.set("ipv6/conf/v0/accept_dad", "0");
        let (first, second) = (interface_index("v0"), interface_index("v1"));
        let device = SecondDevice {
            index: InterfaceIndex(first),
            v4: Ipv4Addr::new(10, 99, 0, 1),
            v6: Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 1),
            link_local: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x99),
        };
        netlink.set_up(first);
        netlink.set_up(second);
        netlink.add_address(first, device.v4.into(), 24);
        netlink.add_address(first, device.v6.into(), 64);
        netlink.add_address(first, device.link_local.into(), 64);
        wait_until_usable(device.v6.into());
        device
    }

    /// No reset ends a `TIME_WAIT` from now on, so that they can be counted.
    ///
    /// Otherwise one in some thousands is gone at once where the machine is busy, although no segment is lost: its peer
    /// was seen to send a reset. The likely cause, which was not captured: the delayed acknowledgement of the end that
    /// closes second is overtaken by its FIN, is out of the window then, and is answered to a socket that is gone, which
    /// resets (RFC 1337 §2; `tcp_timewait_state_process`).
    ///
    /// # Panics
    ///
    /// When the kernel does not have the setting.
    pub fn keep_time_waits(&self) {
        self.set("ipv4/tcp_rfc1337", "1");
    }

    /// Writes a setting below `/proc/sys/net`.
    ///
    /// # Panics
    ///
    /// When the kernel does not have it or does not take the value.
    pub fn set(&self, name: &str, value: &str) {
        let path = format!("/proc/sys/net/{name}");
        std::fs::write(&path, value)
            .unwrap_or_else(|error| panic!("failed to write {value} to {path}: {error}"));
    }
}

fn interface_index(name: &str) -> u32 {
    let interfaces = lastack_os::host::interfaces().expect("the interfaces of this namespace");
    let found = interfaces.iter().find(|interface| interface.name == name);
    found.unwrap_or_else(|| panic!("{name} was not made")).index.0
}

/// An address counts as ours some moments after it was added, and not while duplicates are looked for.
fn wait_until_usable(address: IpAddr) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while let Err(error) = TcpListener::bind((address, 0)) {
        assert!(Instant::now() < deadline, "{address} did not become usable: {error}");
        std::thread::yield_now();
    }
}
