//! `lastack close FILTER…`: ends single connections, without asking about a port and without stopping anybody.

use crate::address;
use crate::args::{CloseArgs, FilterArgs};
use crate::carry::{self, Done, Outcome};
use crate::commands;
use crate::consent::{Answer, Leave};
use crate::error::Error;
use crate::exit::Exit;
use crate::gather;
use crate::report::page::{self, Page};
use crate::report::{close as report, json, plan as paper};
use lastack_model::facts::{Facts, Host, PortRange, Sockets, Transport, Unseen};
use lastack_model::ids::{Inode, Pid};
use lastack_model::plan::{self, Plan, Reach, Terms};
use lastack_model::selection::{End, Selection};
use lastack_model::stop::Around;
use lastack_model::why::{self, Conflict};
use lastack_os::sock_diag::{self, Detail, Filter, States};
use lastack_os::{act, holders, host, namespace};

/// Ends what the filter selects.
pub fn run(args: &CloseArgs) -> Result<Exit, Error> {
    let selection = selection(&args.filter)?;
    match &args.netns {
        Some(name) => {
            namespace::within(&namespace::by_name(name)?, || Closing::new(selection, args)?.run())?
        }
        None => Closing::new(selection, args)?.run(),
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
    unseen: Vec<Unseen>,
}

impl<'a> Closing<'a> {
    fn new(selection: Selection, args: &'a CloseArgs) -> Result<Self, Error> {
        let terms = Terms {
            around: Around { actor: act::actor()?, ..Around::default() },
            guard: commands::guard(&args.guard),
            reach: Reach::Sockets,
            ..Terms::default()
        };
        let leave = Leave::of_yes(args.consent, args.output.json);
        Ok(Self { args, selection, host: host::host()?, leave, terms })
    }

    fn run(self) -> Result<Exit, Error> {
        let found = self.find()?;
        let all: Vec<usize> = (0..found.connections.len()).collect();
        let plan = plan::for_conflicts(&all, &found.connections, &self.host, &self.terms);
        self.on_paper(|page| report::before(page, &found.connections, &plan, &self.host))?;
        let done = self.carry_out(&plan, &found.connections)?;
        let exit = exit(&plan, &done);
        if self.args.output.json {
            page::print(&json::line(&report::Closed {
                schema: "lastack.close/1",
                exit: exit.code(),
                connections: &found.connections,
                plan: &plan,
                done: &done,
                unseen: &found.unseen,
            }))?;
        } else {
            self.on_paper(|page| report::after(page, &plan, &done, self.leave))?;
        }
        Ok(exit)
    }

    fn find(&self) -> Result<Found, Error> {
        let add = |sockets: &mut Sockets, socket| {
            if self.selection.includes(&socket, &self.host) {
                sockets.add(socket);
            }
        };
        let dump = sock_diag::fold(&filter(&self.selection), add)?;
        let host = self.host.clone();
        let mut facts =
            Facts { host, sockets: dump.folded, unseen: dump.unseen, ..Facts::default() };
        gather::find_all_holders(&mut facts);
        Ok(Found { connections: why::connections(&facts), unseen: facts.unseen })
    }

    fn carry_out(&self, plan: &Plan, connections: &[Conflict]) -> Result<Vec<Done>, Error> {
        let mut done = Vec::new();
        if !self.leave.covers(&plan.steps) {
            return Ok(done);
        }
        for step in &plan.steps {
            let act = paper::sentence(&paper::act(step, connections));
            if self.leave.to(step, &format!("{act}?"))? != Answer::Go {
                continue;
            }
            let conflicts: Vec<&Conflict> =
                step.conflicts.iter().map(|at| &connections[*at]).collect();
            // Alike connections may differ in what the filter asks about: each is asked again.
            let outcome = carry::destroy(&conflicts, filter(&self.selection), |socket| {
                self.selection.includes(socket, &self.host)
            });
            self.on_paper(|page| paper::write_done(page, step, &outcome, connections))?;
            done.push(Done { step: step.clone(), outcome });
        }
        Ok(done)
    }

    fn on_paper(&self, write: impl FnOnce(&mut Page)) -> Result<(), Error> {
        commands::on_paper(&self.args.output, write)
    }
}

/// Done is what was to be done, also when that was nothing.
fn exit(plan: &Plan, done: &[Done]) -> Exit {
    let failed = |done: &&Done| matches!(done.outcome, Outcome::Failed(_));
    let failures = done.iter().filter(failed).count();
    if !plan.obstacles.is_empty() || done.len() < plan.steps.len() && done.is_empty() {
        Exit::No
    } else if failures == 0 && done.len() == plan.steps.len() {
        Exit::Yes
    } else {
        Exit::Partly
    }
}

/// What the kernel can be asked for of the selection; the rest is looked at here.
fn filter(selection: &Selection) -> Filter {
    let mut filter = Filter::all(Transport::Tcp).with(Detail::Traffic);
    if !selection.states.is_empty() {
        filter = filter.in_states(States::of(&selection.states));
    }
    let port = selection.local.as_ref().and_then(|end| end.port);
    filter.ports = port.map(|port| PortRange { low: port, high: port });
    filter
}

fn selection(args: &FilterArgs) -> Result<Selection, Error> {
    let end = |text: &Option<String>| -> Result<Option<End>, Error> {
        text.as_deref().map(address::parse_end).transpose().map_err(Error::new)
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
    Ok(sockets
        .map_err(|error| error.with_remedy("is there such a process, and may you see it?"))?)
}
