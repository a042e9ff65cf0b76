//! The owner of a port: who holds it, and how they would be stopped.

use crate::states;
use lastack_model::facts::Holder;
use lastack_model::ids::{Inode, Pid};
use lastack_model::stop::{Hindrance, Stop};
use lastack_os::act::{self, stop::Kill, stop::Terms};
use lastack_os::holders;
use std::time::Duration;

/// Every hold on a TCP socket of the port in the calling thread's namespace.
///
/// # Panics
///
/// When it cannot be looked for.
pub fn holders(port: u16) -> Vec<Holder> {
    let inodes: Vec<Inode> =
        states::on_port(port).iter().filter_map(|socket| socket.inode).collect();
    holders::find(&inodes).expect("the holders").holders
}

/// How the holders of the port would be stopped.
///
/// # Panics
///
/// When nobody holds it, or it cannot be seen who does.
pub fn stops(port: u16) -> Result<Vec<Stop>, Vec<Hindrance>> {
    let holders = holders(port);
    assert!(!holders.is_empty(), "nobody holds port {port}");
    let around = act::around(&holders, &[]).expect("what lives around them");
    lastack_model::stop::stops(&holders, &around)
}

/// The pids of the holders, each once, in order.
pub fn pids(port: u16) -> Vec<Pid> {
    let mut pids: Vec<Pid> = holders(port).iter().map(|holder| holder.process.pid).collect();
    pids.sort_unstable();
    pids.dedup();
    pids
}

/// Patient terms, naming nobody.
pub const fn terms(kill: Kill) -> Terms {
    Terms { grace: Duration::from_secs(10), kill, named: Vec::new() }
}
