//! Meets the needs of a question: the loop between the rules, which decide, and the operating system, which knows.
//!
//! Nothing is judged here: [`why::why`] says what it must know, the other modules find it out, and what they cannot find
//! out is recorded as not seen. All of it happens in the calling thread's network namespace.

use crate::namespace::Namespace;
use crate::sock_diag::{self, BoundSockets, Detail, Filter};
use crate::trial::{self, TrialUser};
use crate::{Result, bound, holders, host, namespace, options, process};
use lastack_model::bind::Request;
use lastack_model::facts::{
    Asker, Descriptor, Elsewhere, Facts, Holder, Host, SocketGroup, SocketOptions, Sockets,
    Transport, Trial, TrialOutcome, Unseen,
};
use lastack_model::ids::{CgroupId, Inode, Port};
use lastack_model::why::{self, Explanation, Need, Question};
use std::collections::{HashMap, HashSet};

/// Who would bind.
#[derive(Clone, Copy, Debug)]
pub struct Binder {
    /// What the rules see of it.
    pub asker: Asker,
    /// As whom a trial is made.
    pub trial: TrialUser,
}

impl Binder {
    /// The calling thread itself.
    pub fn caller() -> Result<Self> {
        Ok(Self { asker: host::own_asker()?, trial: TrialUser::Caller })
    }
}

/// The facts that every question about these ports starts from.
pub fn facts(ports: &[(Transport, Port)], host: &Host) -> Result<Facts> {
    let mut facts = Facts { host: host.clone(), ..Facts::default() };
    let mut seen: Vec<(Transport, Port)> = Vec::new();
    for &(transport, port) in ports {
        if seen.contains(&(transport, port)) {
            continue;
        }
        seen.push((transport, port));
        let dump = sock_diag::fold(&on_port(transport, port), Sockets::add)?;
        facts.sockets.merge(dump.folded);
        if dump.bound == BoundSockets::Hidden && transport == Transport::Tcp {
            find_bound(port, &mut facts)?;
        } else {
            facts.unseen.extend(dump.unseen);
        }
    }
    Ok(facts)
}

/// On kernels that do not list bound sockets, their descriptors show them.
fn find_bound(port: Port, facts: &mut Facts) -> Result<()> {
    let groups = facts.sockets.groups().iter();
    let listed: Vec<Inode> = groups.flat_map(|group| group.inodes.iter().copied()).collect();
    let found = bound::on_port(port, &listed)?;
    facts.unseen.extend(found.unseen);
    for socket in found.sockets {
        facts.sockets.add(socket);
    }
    Ok(())
}

/// Asks, meets what is needed, and asks again; each need is met once, so this ends.
pub fn explain(question: &Question, facts: &mut Facts, binder: Binder) -> Explanation {
    loop {
        match why::why(question, facts) {
            Ok(explanation) => return explanation,
            Err(need) => meet(need, facts, binder),
        }
    }
}

/// Asks the kernel about every wanted bind, whatever the rules say of it.
pub fn try_all(question: &Question, facts: &mut Facts, binder: Binder) {
    for request in question.requests.iter().cloned() {
        let outcome = ask_kernel(&request, binder);
        facts.trials.push(Trial { request, outcome });
    }
}

/// The same from saved facts alone: what they do not hold is recorded as not seen.
pub fn explain_saved(question: &Question, facts: &mut Facts) -> Explanation {
    loop {
        match why::why(question, facts) {
            Ok(explanation) => return explanation,
            Err(Need::Holders(inodes)) => facts.holders_sought.extend(inodes),
            Err(Need::Trial(request)) => {
                let outcome = TrialOutcome::NotTried("the facts come from a file".into());
                facts.trials.push(Trial { request, outcome });
            }
            Err(Need::Elsewhere(transport, port)) => facts.elsewhere_sought.push((transport, port)),
        }
    }
}

fn meet(need: Need, facts: &mut Facts, binder: Binder) {
    match need {
        Need::Holders(inodes) => find_holders(inodes, facts),
        Need::Trial(request) => {
            let outcome = ask_kernel(&request, binder);
            facts.trials.push(Trial { request, outcome });
        }
        Need::Elsewhere(transport, port) => look_elsewhere(transport, port, facts),
    }
}

fn ask_kernel(request: &Request, binder: Binder) -> TrialOutcome {
    trial::bind(request, binder.trial)
}

/// Finds who holds the sockets and reads the options that only a holder's descriptor shows.
fn find_holders(inodes: Vec<Inode>, facts: &mut Facts) {
    search_holders(inodes, facts, |holders, facts| {
        facts.sockets.learn_options(&read_options(holders));
    });
}

fn search_holders(inodes: Vec<Inode>, facts: &mut Facts, learn: impl Fn(&[Holder], &mut Facts)) {
    match holders::find(&inodes) {
        Ok(search) => {
            facts.unseen.extend(search.unseen);
            learn(&search.holders, facts);
            facts.holders.extend(search.holders);
            name_services(&inodes, facts);
        }
        Err(error) => facts.unseen.push(Unseen {
            what: "the processes that hold the sockets".into(),
            why: format!("failed to {error}"),
            remedy: "mount /proc".into(),
        }),
    }
    facts.holders_sought.extend(inodes);
}

/// Finds everybody who holds any of the sockets. Their options are not read: no bind is asked about.
pub fn find_all_holders(facts: &mut Facts) {
    let groups = facts.sockets.groups().iter();
    let inodes = groups.flat_map(|group| group.inodes.iter().copied()).collect::<Vec<_>>();
    if !inodes.is_empty() {
        search_holders(inodes, facts, |_, _| {});
    }
}

/// Names the service of sockets that nobody visible holds, by the control group they were made in.
fn name_services(inodes: &[Inode], facts: &mut Facts) {
    let held: HashSet<Inode> = facts.holders.iter().map(|holder| holder.inode).collect();
    let missing: HashSet<&Inode> = inodes.iter().filter(|inode| !held.contains(inode)).collect();
    let unheld = |group: &&SocketGroup| group.inodes.iter().any(|inode| missing.contains(inode));
    let mut cgroups: Vec<CgroupId> = facts
        .sockets
        .groups()
        .iter()
        .filter(unheld)
        .filter_map(|group| group.example.cgroup)
        .collect();
    cgroups.sort_unstable();
    cgroups.dedup();
    for id in cgroups {
        let service = process::cgroup_path(id).and_then(|path| process::service_of_path(&path));
        facts.services.extend(service.map(|service| (id, service)));
    }
}

/// Of each socket the options, from the first holder that lets them be read.
fn read_options(holders: &[Holder]) -> HashMap<Inode, SocketOptions> {
    let mut all = HashMap::new();
    for holder in holders {
        let open = matches!(holder.descriptor, Descriptor::Open { .. });
        if open && !all.contains_key(&holder.inode) {
            all.extend(options::read(holder).ok().map(|options| (holder.inode, options)));
        }
    }
    all
}

/// Looks for the port in every other network namespace that can be entered.
fn look_elsewhere(transport: Transport, port: Port, facts: &mut Facts) {
    let mut found = Vec::new();
    match namespace::list() {
        Ok(listing) => {
            facts.unseen.extend(listing.unseen);
            let others =
                listing.namespaces.into_iter().filter(|n| Some(n.id) != facts.host.namespace);
            let mut closed = 0;
            for other in others {
                match sockets_in(&other, transport, port) {
                    Some(sockets) => found.extend(sockets.groups().iter().map(|group| Elsewhere {
                        namespace: other.id,
                        name: other.name.clone(),
                        resident: other.resident.and_then(process::describe),
                        socket: group.clone(),
                    })),
                    None => closed += 1,
                }
            }
            facts.unseen.extend(closed_namespaces(closed));
        }
        Err(error) => facts.unseen.push(Unseen {
            what: "other network namespaces".into(),
            why: format!("failed to {error}"),
            remedy: "mount /proc".into(),
        }),
    }
    facts.elsewhere.extend(found);
    facts.elsewhere_sought.push((transport, port));
}

/// The sockets on a port of another namespace: from the kernel when it may be entered, else from the text tables of a
/// process that lives there, which show less.
fn sockets_in(other: &Namespace, transport: Transport, port: Port) -> Option<Sockets> {
    let filter = on_port(transport, port);
    if let Ok(Ok(dump)) = namespace::within(other, || sock_diag::fold(&filter, Sockets::add)) {
        return Some(dump.folded);
    }
    let mut sockets = Sockets::default();
    for socket in namespace::sockets_from_proc(other.resident?, transport, port).ok()? {
        sockets.add(socket);
    }
    Some(sockets)
}

/// How alive a connection is tells how long its port stays taken; minisocks carry no more than they must anyway.
fn on_port(transport: Transport, port: Port) -> Filter {
    let filter = Filter::on_port(transport, port);
    match transport {
        Transport::Tcp => filter.with(Detail::Traffic),
        Transport::Udp => filter,
    }
}

fn closed_namespaces(closed: usize) -> Option<Unseen> {
    (closed > 0).then(|| Unseen {
        what: format!("the sockets of {closed} other network namespaces"),
        why: "entering one needs CAP_SYS_ADMIN".into(),
        remedy: "run as root".into(),
    })
}
