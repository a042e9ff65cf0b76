//! `lastack` without a verb: the overview of this host.

use crate::args::WhyArgs;
use crate::ask;
use crate::error::Error;
use crate::exit::Exit;
use crate::report::page::{self, Page};
use crate::report::{json, overview as report};
use lastack_model::facts::{Holder, Transport, Unseen};
use lastack_model::ids::Inode;
use lastack_model::overview::{Overview, Problem, Tally};
use lastack_os::sock_diag::{self, Filter};
use lastack_os::{holders, host, namespace};

/// Looks and reports.
pub fn run(args: &WhyArgs) -> Result<Exit, Error> {
    let (overview, holders, unseen) = match ask::namespace(&args.bind)? {
        Some(other) => namespace::within(&other, look)??,
        None => look()?,
    };
    let exit = if overview.problems.is_empty() { Exit::Yes } else { Exit::No };
    if args.output.json {
        page::print(&json::line(&serde_json::json!({
            "schema": "lastack.overview/1",
            "exit": exit.code(),
            "overview": overview,
            "holders": holders,
            "unseen": unseen,
        })))
    } else {
        let mut page = Page::of_terminal();
        report::write(&mut page, &overview, &holders, &unseen);
        page.print()
    }?;
    Ok(exit)
}

fn look() -> Result<(Overview, Vec<Holder>, Vec<Unseen>), Error> {
    let host = host::host()?;
    let lent = host.sysctls.local_port_range;
    let count = |tally: &mut Tally, socket| tally.add(socket, lent);
    let dump = sock_diag::fold(&Filter::all(Transport::Tcp), count)?;
    let overview = dump.folded.overview(&host);
    let mut unseen = dump.unseen;
    let search = holders::find(&worth_attributing(&overview))?;
    unseen.extend(search.unseen);
    Ok((overview, search.holders, unseen))
}

fn worth_attributing(overview: &Overview) -> Vec<Inode> {
    let leaks = overview.problems.iter().flat_map(|problem| match problem {
        Problem::CloseWaits { inodes, .. } => inodes.as_slice(),
        _ => &[],
    });
    let creators = overview.destinations.iter().flat_map(|destination| &destination.live);
    let listeners = overview.listeners.iter().flat_map(|group| &group.inodes);
    listeners.chain(leaks).chain(creators).copied().collect()
}
