//! Who acts, and what lives around the processes that would be stopped.

use crate::process::{self, Capability, Stat, own_credentials, parse_group};
use crate::sock_diag::{self, Filter, States};
use crate::{Result, host, supervisor};
use lastack_model::facts::{Holder, Process, Transport};
use lastack_model::ids::{Inode, Pid, Uid};
use lastack_model::state::State;
use lastack_model::stop::{Activator, Actor, Around, Running, UserManager};
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;

/// Who the calling thread is to the processes it might signal and the sockets it might destroy.
pub fn actor() -> Result<Actor> {
    let pid = Pid(std::process::id());
    let credentials = own_credentials()?;
    Ok(Actor {
        pid,
        uid: Uid(rustix::process::geteuid().as_raw()),
        may_signal_anyone: credentials.has(Capability::Kill),
        may_destroy: host::own_asker()?.may_destroy,
        ancestors: process::describe(pid).map(|own| own.ancestors).unwrap_or_default(),
    })
}

/// What must be known to stop these holders with care. Costs one look at every process.
///
/// `named` are the processes that the person named.
pub fn around(holders: &[Holder], named: &[Pid]) -> Result<Around> {
    Ok(Around {
        actor: actor()?,
        named: named.to_vec(),
        processes: process::all()?.into_iter().filter_map(running).collect(),
        activators: activators(holders)?,
    })
}

fn running(pid: Pid) -> Option<Running> {
    let stat = process::stat(pid)?;
    let text = fs::read_to_string(process::entry(pid, "cgroup")).ok();
    let group = text.as_deref().and_then(parse_group).map(ToOwned::to_owned);
    let Stat { name, parent, has_terminal, .. } = stat;
    Some(Running { pid, name, parent, group, has_terminal })
}

/// The socket units for which service managers among the holders listen.
fn activators(holders: &[Holder]) -> Result<Vec<Activator>> {
    let mut found = Vec::new();
    let managers = holders.iter().filter_map(|holder| Some((holder, manager(&holder.process)?)));
    for (holder, Manager(user)) in managers {
        let Some(address) = listening_address(holder.inode)? else { continue };
        let table = super::stop::list_socket_units(user.as_ref());
        let units: Vec<&str> =
            table.iter().flat_map(|table| socket_units_of(table, address)).collect();
        // Two units that name one address, in two namespaces perhaps: choosing would be guessing.
        if let [unit] = units[..] {
            let (inode, manager) = (holder.inode, holder.process.pid);
            found.push(Activator { inode, manager, unit: unit.into(), user });
        }
    }
    Ok(found)
}

/// A service manager: the system's (`None`) or a user's.
struct Manager(Option<UserManager>);

fn manager(process: &Process) -> Option<Manager> {
    if process.name != "systemd" {
        return None;
    }
    if process.pid == Pid(1) {
        return Some(Manager(None));
    }
    let is_users = process.command.iter().any(|argument| argument == "--user");
    let uid = Uid(fs::metadata(process::entry(process.pid, "")).ok()?.uid());
    let directory = supervisor::environment(process.pid, "XDG_RUNTIME_DIR")?;
    is_users.then_some(Manager(Some(UserManager { uid, directory })))
}

fn listening_address(inode: Inode) -> Result<Option<SocketAddr>> {
    for filter in [
        Filter::all(Transport::Tcp).in_states(States::of(&[State::Listen])),
        Filter::all(Transport::Udp),
    ] {
        let dump = sock_diag::fold(&filter, |found: &mut Option<SocketAddr>, socket| {
            if socket.inode == Some(inode) {
                *found = Some(socket.local);
            }
        })?;
        if dump.folded.is_some() {
            return Ok(dump.folded);
        }
    }
    Ok(None)
}

/// The units that listen on an address, from `systemctl list-sockets --full --no-legend`: address, unit, what it
/// starts.
fn socket_units_of(table: &str, address: SocketAddr) -> Vec<&str> {
    let units = table.lines().filter_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let listens: SocketAddr = fields.next()?.parse().ok()?;
        (listens == address).then(|| fields.find(|field| field.ends_with(".socket")))?
    });
    units.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_knows_itself_and_its_parents() {
        let actor = actor().expect("who acts");
        assert_eq!(actor.pid, Pid(std::process::id()));
        assert!(!actor.ancestors.is_empty());
        let around = around(&[], &[]).expect("around");
        let own = around.processes.iter().find(|running| running.pid == actor.pid);
        assert_eq!(own.map(|own| own.parent), Some(actor.ancestors[0].pid));
    }

    #[test]
    fn socket_units_are_told_by_the_whole_address() {
        let table = "/run/dbus/system_bus_socket dbus.socket dbus.service\n\
                     [::]:8080 web.socket web.service\n\
                     127.0.0.1:8080 local.socket a.service b.service\n";
        let units = |address: &str| socket_units_of(table, address.parse().expect("an address"));
        assert_eq!(units("[::]:8080"), ["web.socket"]);
        assert_eq!(units("127.0.0.1:8080"), ["local.socket"]);
        assert_eq!(units("0.0.0.0:8080"), [""; 0]);
    }
}
