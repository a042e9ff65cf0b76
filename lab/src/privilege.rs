//! Root, and laying down a capability.
//!
//! The kernel keeps capabilities per thread; these calls change the calling thread alone, which is what lets tests run
//! side by side.

use rustix::process::geteuid;
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

/// Panics unless the process runs as root.
///
/// # Panics
///
/// With the command that runs the tests as root.
pub fn require_root() {
    assert!(
        geteuid().is_root(),
        "this test makes network namespaces and needs root: run `sudo cargo xtask test`"
    );
}

/// Runs a closure without `CAP_NET_BIND_SERVICE`.
///
/// # Panics
///
/// When capabilities cannot be changed.
pub fn without_reserved_ports<T>(act: impl FnOnce() -> T) -> T {
    let before = capabilities(None).expect("the thread's capabilities");
    let mut less = before;
    less.effective.remove(CapabilitySet::NET_BIND_SERVICE);
    set_capabilities(None, less).expect("a capability can be laid down");
    let result = act();
    set_capabilities(None, before).expect("a capability laid down can be taken up again");
    result
}
