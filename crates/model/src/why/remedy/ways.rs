//! How what is left in the way can be brought to its end: waited for, destroyed, or stopped.

use super::prospect::Prospect;
use super::{Harm, Remedy, Step};
use crate::facts::Host;
use crate::lifetime::{Lifetime, TIME_WAIT_MS, TIMER_SLACK_MS};
use crate::why::conflict::{Conflict, Role};

/// How a conflict can be brought to its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Way {
    Wait,
    Destroy,
    Stop,
}

/// The remedies that follow from one prospect: one for each way in which what is left can be ended.
pub(super) fn ways_out(prospect: &Prospect, conflicts: &[Conflict], host: &Host) -> Vec<Remedy> {
    let set = (!prospect.change.is_none()).then_some(Step::SetOptions(prospect.change));
    if prospect.blockers.is_empty() {
        let certainty = prospect.certainty.clone();
        return set
            .map(|step| Remedy { steps: vec![step], harm: Harm::Nothing, certainty })
            .into_iter()
            .collect();
    }
    let ends_itself = |at: &usize| ways(*at, &prospect.blockers, conflicts).contains(&Way::Wait);
    let strategies = if prospect.blockers.iter().all(ends_itself) {
        [Way::Wait, Way::Destroy]
    } else {
        [Way::Destroy, Way::Stop]
    };
    let mut out: Vec<Remedy> = Vec::new();
    for preferred in strategies {
        let steps: Vec<Step> = set
            .clone()
            .into_iter()
            .chain(ending(&prospect.blockers, preferred, conflicts, host))
            .collect();
        let harm = steps.iter().map(|step| harm(step, conflicts)).max().unwrap_or(Harm::Nothing);
        let remedy = Remedy { steps, harm, certainty: prospect.certainty.clone() };
        if !out.contains(&remedy) {
            out.push(remedy);
        }
    }
    out
}

/// The steps that end these conflicts, each in the preferred way if it has it, else its gentlest.
fn ending(blockers: &[usize], preferred: Way, conflicts: &[Conflict], host: &Host) -> Vec<Step> {
    let chosen = |at: usize| {
        let ways = ways(at, blockers, conflicts);
        if ways.contains(&preferred) { preferred } else { ways[0] }
    };
    let by = |way: Way| -> Vec<usize> {
        blockers.iter().copied().filter(|at| chosen(*at) == way).collect()
    };
    let (stop, destroy, wait) = (by(Way::Stop), by(Way::Destroy), by(Way::Wait));
    let mut spans: Vec<(usize, u64, u64)> = wait
        .into_iter()
        .filter_map(|at| span_ms(conflicts[at].lifetime).map(|(least, most)| (at, least, most)))
        .collect();
    let closing = |at: &&usize| is_closed_by_stopping(conflicts[**at].role);
    spans.extend(stop.iter().filter(closing).map(|at| (*at, 0, longest_close_ms(host))));
    let mut steps = Vec::new();
    if !stop.is_empty() {
        steps.push(Step::Stop { conflicts: stop });
    }
    if !destroy.is_empty() {
        steps.push(Step::Destroy { conflicts: destroy });
    }
    if !spans.is_empty() {
        steps.push(Step::Wait {
            conflicts: spans.iter().map(|(at, _, _)| *at).collect(),
            least_ms: spans.iter().map(|(_, least, _)| *least).max().unwrap_or(0),
            most_ms: spans.iter().map(|(_, _, most)| *most).max().unwrap_or(0),
        });
    }
    steps
}

/// The ways to end a conflict, gentlest first. Never `SOCK_DESTROY` on a listener or a bound socket: the first breaks
/// its program and keeps the port, the second answers `ENOENT`. What waits in a listener's queue ends with it.
fn ways(at: usize, blockers: &[usize], conflicts: &[Conflict]) -> &'static [Way] {
    let conflict = &conflicts[at];
    let with_listener = || blockers.iter().any(|at| conflicts[*at].role == Role::Listener);
    match (conflict.role, conflict.lifetime) {
        (Role::TimeWait | Role::OrphanFinWait2 | Role::OrphanUnacknowledged, Lifetime::Ends(_)) => {
            &[Way::Wait, Way::Destroy]
        }
        (Role::Queued, _) if with_listener() => &[Way::Stop],
        (Role::Queued | Role::TimeWait | Role::OrphanFinWait2 | Role::OrphanUnacknowledged, _) => {
            &[Way::Destroy]
        }
        (Role::Accepted | Role::Outgoing | Role::CloseWait | Role::HalfClosed, _) => {
            &[Way::Destroy, Way::Stop]
        }
        (Role::Listener | Role::BoundOnly | Role::Dead | Role::Udp, _) => &[Way::Stop],
    }
}

/// Live connections are closed when their program ends, and go on holding the port while they close.
const fn is_closed_by_stopping(role: Role) -> bool {
    matches!(role, Role::Accepted | Role::Outgoing | Role::HalfClosed)
}

/// `FIN_WAIT_2` to its end and a whole `TIME_WAIT` after it, when the peer closes at the last moment.
fn longest_close_ms(host: &Host) -> u64 {
    u64::from(host.sysctls.fin_timeout_s) * 1000 + TIME_WAIT_MS + TIMER_SLACK_MS
}

fn harm(step: &Step, conflicts: &[Conflict]) -> Harm {
    match step {
        Step::SetOptions(_)
        | Step::UseAddress(_)
        | Step::NameInterface
        | Step::GainPrivilege
        | Step::MakeAddressLocal { .. } => Harm::Nothing,
        Step::Wait { .. } => Harm::Waiting,
        Step::Destroy { conflicts: which } => {
            let remains = which.iter().all(|at| conflicts[*at].role == Role::TimeWait);
            if remains { Harm::Remains } else { Harm::Connections }
        }
        Step::Stop { .. } => Harm::Program,
    }
}

const fn span_ms(lifetime: Lifetime) -> Option<(u64, u64)> {
    match lifetime {
        Lifetime::Ends(span) => Some((span.least_ms, span.most_ms)),
        Lifetime::WhileHeld | Lifetime::WhileHeldPeerSilent(_) | Lifetime::Never => None,
    }
}
