//! `lastack close FILTER…`: ends single connections, without asking about a port and without stopping anybody.
//!
//! Only the sockets that were shown are ended, each by its cookie and only while the filter still selects it; what is
//! left of them afterwards is looked up, not assumed.

use crate::address;
use crate::args::{CloseArgs, FilterArgs};
use crate::carry::{self, Done};
use crate::commands;
use crate::consent::{Answer, Leave};
use crate::error::Error;
use crate::exit::Exit;
use crate::report::close::{self as report, After};
use crate::report::page::{self, Page};
use crate::report::{json, plan as paper};
use lastack_model::facts::{Facts, Host, Kind, PortRange, Socket, Sockets, Transport, Unseen};
use lastack_model::ids::{Cookie, Inode, Pid, Port};
use lastack_model::plan::{self, Act, Plan, Reach, Terms};
use lastack_model::selection::{self, End, Selection};
use lastack_model::stop::Around;
use lastack_model::why::{self, Conflict};
use lastack_os::sock_diag::{self, Detail, Filter, States};
use lastack_os::{act, gather, holders, host, namespace};
use std::collections::HashSet;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Ends what the filter selects.
pub fn run(args: &CloseArgs) -> Result<Exit, Error> {
    match &args.netns {
        Some(name) => namespace::within(&namespace::by_name(name)?, || Closing::new(args)?.run())?,
        None => Closing::new(args)?.run(),
    }
}

/// Connections on their way to being ended.
struct Closing<'a> {
    args: &'a CloseArgs,
    selection: Selection,
    host: Host,
    leave: Leave,
    terms: Terms,
}

/// Connections that were found, alike ones together.
struct Found {
    connections: Vec<Conflict>,
    each: Each,
    unseen: Vec<Unseen>,
}

/// Connections as a dump shows them.
#[derive(Default)]
struct Selected {
    sockets: Sockets,
    each: Each,
}

/// Every single connection that was found, to know it again.
#[derive(Default)]
struct Each {
    cookies: HashSet<Cookie>,
    ends: HashSet<(SocketAddr, Option<SocketAddr>)>,
}

impl Each {
    fn add(&mut self, socket: &Socket) {
        self.cookies.insert(socket.cookie);
        self.ends.insert((socket.local, socket.remote));
    }

    fn count(&self) -> u64 {
        self.cookies.len() as u64
    }

    /// The same socket as before.
    fn includes(&self, socket: &Socket) -> bool {
        self.cookies.contains(&socket.cookie)
    }

    /// The same, or the minisock that it has become, which has a cookie of its own (`inet_twsk_alloc`).
    fn includes_remains(&self, socket: &Socket) -> bool {
        let is_remains = || socket.kind == Kind::Minisock;
        self.includes(socket) || is_remains() && self.ends.contains(&(socket.local, socket.remote))
    }
}

impl<'a> Closing<'a> {
    fn new(args: &'a CloseArgs) -> Result<Self, Error> {
        let host = host::host()?;
        let terms = Terms {
            around: Around { actor: act::actor()?, ..Around::default() },
            guard: commands::guard(&args.guard),
            reach: Reach::Sockets,
            ..Terms::default()
        };
        let leave = Leave::of_yes(args.consent, args.output.json);
        Ok(Self { args, selection: selection(&args.filter, &host)?, host, leave, terms })
    }

    fn run(self) -> Result<Exit, Error> {
        let mut found = self.find()?;
        let all: Vec<usize> = (0..found.connections.len()).collect();
        let plan = plan::for_conflicts(&all, &found.connections, &self.host, &self.terms);
        self.on_paper(|page| {
            let actor = &self.terms.around.actor;
            report::before(page, &found.connections, &plan, &self.host, actor, &found.unseen);
        })?;
        let done = self.carry_out(&plan, &found)?;
        let after = if done.is_empty() { None } else { self.look_again(&mut found) };
        let exit = exit(&plan, &done, after, found.each.count());
        if self.args.output.json {
            page::print(&json::line(&report::Closed {
                schema: "lastack.close/1",
                exit: exit.code(),
                connections: &found.connections,
                plan: &plan,
                done: &done,
                after,
                unseen: &found.unseen,
            }))?;
        } else {
            let selected = found.each.count();
            self.on_paper(|page| match (done.is_empty(), after) {
                (true, _) => report::undone(page, &plan, self.leave),
                (false, Some(after)) => report::after(page, after, selected),
                (false, None) => report::unseen(page, &found.unseen),
            })?;
        }
        Ok(exit)
    }

    fn find(&self) -> Result<Found, Error> {
        let add = |selected: &mut Selected, socket: Socket| {
            if self.selection.includes(&socket, &self.host) {
                selected.each.add(&socket);
                selected.sockets.add(socket);
            }
        };
        let dump = sock_diag::fold(&filter(&self.selection), add)?;
        let Selected { sockets, each } = dump.folded;
        let host = self.host.clone();
        let mut facts = Facts { host, sockets, unseen: dump.unseen, ..Facts::default() };
        gather::find_all_holders(&mut facts);
        facts.unseen.extend(self.args.filter.pid.and_then(|pid| elsewhere(pid, &self.host)));
        Ok(Found { connections: why::connections(&facts), each, unseen: facts.unseen })
    }

    fn carry_out(&self, plan: &Plan, found: &Found) -> Result<Vec<Done>, Error> {
        let mut done = Vec::new();
        if !self.leave.covers(&plan.steps) {
            return Ok(done);
        }
        let connections = &found.connections;
        for step in &plan.steps {
            let act = paper::sentence(&paper::act(step, connections));
            if self.leave.to(step, &format!("{act}?"))? != Answer::Go {
                continue;
            }
            let conflicts: Vec<&Conflict> =
                step.conflicts.iter().map(|at| &connections[*at]).collect();
            // One that was not shown is none of them, however alike; one that has moved since is idle no more.
            let wanted = |socket: &Socket| {
                found.each.includes(socket) && self.selection.includes(socket, &self.host)
            };
            let filter = filter(&self.selection);
            let outcome = match step.act {
                Act::Disconnect { .. } => carry::disconnect(&conflicts, &filter, wanted),
                Act::Wait { .. } | Act::Destroy { .. } | Act::Stop(_) => {
                    carry::destroy(&conflicts, filter, wanted)
                }
            };
            self.on_paper(|page| paper::write_done(page, step, &outcome, connections))?;
            done.push(Done { step: step.clone(), outcome });
        }
        Ok(done)
    }

    /// What is selected now. A failure to look is no failure of what was done, but it leaves it unproved.
    fn look_again(&self, found: &mut Found) -> Option<After> {
        let add = |after: &mut After, socket: Socket| {
            if found.each.includes_remains(&socket) {
                after.left += 1;
            } else if self.selection.includes(&socket, &self.host) {
                after.others += 1;
            }
        };
        // One that has only changed its state has not ended.
        let any_state = filter(&self.selection).in_states(States::of(&selection::STATES));
        match sock_diag::fold(&any_state, add) {
            Ok(dump) => {
                found.unseen.extend(dump.unseen);
                Some(dump.folded)
            }
            Err(error) => {
                found.unseen.push(Unseen {
                    what: "whether they have ended".into(),
                    why: format!("failed to {error}"),
                    remedy: "run the same command again with --dry-run".into(),
                });
                None
            }
        }
    }

    fn on_paper(&self, write: impl FnOnce(&mut Page)) -> Result<(), Error> {
        commands::on_paper(&self.args.output, write)
    }
}

/// Done is what has ended, also when nothing was to end.
fn exit(plan: &Plan, done: &[Done], after: Option<After>, selected: u64) -> Exit {
    match after {
        _ if plan.is_empty() => Exit::Yes,
        _ if done.is_empty() => Exit::No,
        Some(After { left: 0, .. }) => Exit::Yes,
        Some(After { left, .. }) if left >= selected => Exit::No,
        Some(_) | None => Exit::Partly,
    }
}

/// What the kernel can be asked for of the selection; the rest is looked at here.
fn filter(selection: &Selection) -> Filter {
    let states = match selection.states.as_slice() {
        [] => &selection::STATES,
        some => some,
    };
    let mut filter =
        Filter::all(Transport::Tcp).in_states(States::of(states)).with(Detail::Traffic);
    let port = selection.local.as_ref().and_then(|end| end.port);
    filter.ports = port.map(|port| PortRange { low: port, high: port });
    filter.remote = selection.peer.as_ref().and_then(remote);
    filter
}

/// One remote address or any: the kernel's condition knows no list.
fn remote(end: &End) -> Option<(IpAddr, Port)> {
    let port = end.port.unwrap_or_default();
    match end.addresses.as_slice() {
        [] => Some((Ipv4Addr::UNSPECIFIED.into(), port)),
        // Unspecified means any to the kernel, and no connection's end to us.
        [address] if !address.is_unspecified() => Some((*address, port)),
        _ => None,
    }
}

fn selection(args: &FilterArgs, host: &Host) -> Result<Selection, Error> {
    let end = |text: &Option<String>| -> Result<Option<End>, Error> {
        let end = text.as_deref().map(|text| address::parse_end(text, host));
        end.transpose().map_err(Error::new)
    };
    Ok(Selection {
        states: args.state.clone(),
        local: end(&args.local)?,
        peer: end(&args.peer)?,
        inodes: args.pid.map(held_by).transpose()?,
        idle_ms: args.idle.map(|time| time.as_millis() as u64),
    })
}

fn held_by(pid: u32) -> Result<Vec<Inode>, Error> {
    let sockets = holders::sockets_of(Pid(pid));
    Ok(sockets.map_err(|error| match error.cause().kind() {
        ErrorKind::PermissionDenied => {
            error.with_remedy("it is another user's, or runs with other rights: run as root")
        }
        _ => error.with_remedy("is there such a process?"),
    })?)
}

/// A process of another network namespace has its connections there, as a rule.
fn elsewhere(pid: u32, host: &Host) -> Option<Unseen> {
    let theirs = namespace::of_process(Pid(pid)).ok()?.id;
    (host.namespace.is_some_and(|ours| ours != theirs)).then(|| Unseen {
        what: format!("connections of pid {pid} in its own network namespace"),
        why: "only those in this one are looked at".into(),
        remedy: "name its namespace with --netns".into(),
    })
}
