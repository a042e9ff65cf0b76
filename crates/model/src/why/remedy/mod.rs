//! What makes the bind succeed, least harm first.
//!
//! For every set of option changes the sockets that would still stand in the way are a unique minimal set, because the
//! rules compare sockets pair by pair; so the search runs over the option sets ([`prospect`]) and ends what is left, in
//! each way there is ([`ways`]). A remedy that another one beats with fewer changes is dropped. Nothing here acts.

mod prospect;
mod ways;

use super::conflict::Conflict;
use super::judgement::{Judgement, Outcome, examples};
use super::{Need, Permission, Question};
use crate::bind::{self, Hidden, Refusal, Request, Rules, Ruling};
use crate::errno::Errno;
use crate::facts::{Facts, Host};
use std::net::IpAddr;

/// A way to make the bind succeed.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Remedy {
    /// What to do, in this order.
    pub steps: Vec<Step>,
    /// The worst that any step does.
    pub harm: Harm,
    /// How sure it is to work.
    pub certainty: Certainty,
}

/// What a remedy costs.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Harm {
    /// Nothing but a change to the new socket or to what is asked for.
    Nothing,
    /// Time.
    Waiting,
    /// Remains of closed connections are dropped; no program notices.
    Remains,
    /// Live connections are ended; programs see an error on them.
    Connections,
    /// A program is stopped.
    Program,
}

/// How sure a remedy is to work.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Certainty {
    /// By the rules.
    Certain,
    /// The kernel was asked, and agreed.
    Tried,
    /// It turns on what is not visible.
    DependsOn(Vec<Hidden>),
}

/// One act.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Step {
    /// Set options on the new socket before its bind.
    SetOptions(OptionChange),
    /// Bind another address that is free.
    UseAddress(IpAddr),
    /// Name the interface of a link-local address.
    NameInterface,
    /// Get `CAP_NET_BIND_SERVICE`, or lower `ip_unprivileged_port_start` to this port or below.
    GainPrivilege,
    /// Use an address of this host, add the wanted one, or allow a bind to addresses that are not local.
    MakeAddressLocal {
        /// Some addresses of this host, in the family that was asked for.
        own: Vec<IpAddr>,
    },
    /// Let these conflicts end by themselves.
    Wait {
        /// Positions of the conflicts.
        conflicts: Vec<usize>,
        /// Milliseconds, at least.
        least_ms: u64,
        /// Milliseconds, at most.
        most_ms: u64,
    },
    /// Destroy these sockets (`SOCK_DESTROY`).
    Destroy {
        /// Positions of the conflicts.
        conflicts: Vec<usize>,
    },
    /// Stop every process that holds these sockets, the way it was started.
    Stop {
        /// Positions of the conflicts.
        conflicts: Vec<usize>,
    },
}

/// Options to set on the new socket.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct OptionChange {
    /// `SO_REUSEADDR`.
    pub reuse_address: bool,
    /// `SO_REUSEPORT`.
    pub reuse_port: bool,
    /// `IPV6_V6ONLY`.
    pub v6only: bool,
}

impl Certainty {
    /// Certain when nothing is hidden; each hidden thing is named once.
    fn depending_on(hidden: Vec<Hidden>) -> Self {
        let mut once: Vec<Hidden> = Vec::new();
        for reason in hidden {
            if !once.contains(&reason) {
                once.push(reason);
            }
        }
        if once.is_empty() { Self::Certain } else { Self::DependsOn(once) }
    }
}

impl OptionChange {
    /// Every set of changes, fewest first.
    const ALL: [Self; 8] = {
        const fn set(reuse_address: bool, reuse_port: bool, v6only: bool) -> OptionChange {
            OptionChange { reuse_address, reuse_port, v6only }
        }
        [
            set(false, false, false),
            set(true, false, false),
            set(false, true, false),
            set(false, false, true),
            set(true, true, false),
            set(true, false, true),
            set(false, true, true),
            set(true, true, true),
        ]
    };

    /// The request with these options set, or `None` when that changes nothing or means nothing.
    pub fn apply(self, request: &Request) -> Option<Request> {
        let options = request.options;
        let dual_stack = matches!(request.address, IpAddr::V6(ip) if ip.is_unspecified());
        let idle = (self.reuse_address && options.reuse_address)
            || (self.reuse_port && options.reuse_port)
            || (self.v6only && (options.v6only || !dual_stack));
        if idle {
            return None;
        }
        let mut changed = request.clone();
        changed.options.reuse_address |= self.reuse_address;
        changed.options.reuse_port |= self.reuse_port;
        changed.options.v6only |= self.v6only;
        Some(changed)
    }

    const fn is_none(self) -> bool {
        !self.reuse_address && !self.reuse_port && !self.v6only
    }

    const fn is_within(self, other: Self) -> bool {
        (other.reuse_address || !self.reuse_address)
            && (other.reuse_port || !self.reuse_port)
            && (other.v6only || !self.v6only)
    }
}

pub(super) fn remedies(
    question: &Question,
    judgements: &[Judgement],
    conflicts: &[Conflict],
    facts: &Facts,
    rules: Rules,
) -> Vec<Remedy> {
    let failing: Vec<&Judgement> =
        judgements.iter().filter(|judgement| judgement.outcome != Outcome::Succeeds).collect();
    if failing.is_empty() {
        return Vec::new();
    }
    let mut remedies = against_refusals(&failing, &facts.host);
    if !conflicts.is_empty() {
        for prospect in
            prospect::undominated(prospect::prospects(&failing, conflicts, facts, rules))
        {
            remedies.extend(ways::ways_out(&prospect, conflicts, &facts.host));
        }
        remedies.extend(other_addresses(question, facts, rules));
    }
    let unsure = |remedy: &Remedy| matches!(remedy.certainty, Certainty::DependsOn(_));
    remedies.sort_by_key(|remedy| (remedy.harm, unsure(remedy), remedy.steps.len()));
    remedies.dedup();
    remedies
}

/// `SO_REUSEADDR` helps only if the old side had it, which a minisock does not show: a trial with it settles whether
/// it is worth advising. Never with `SO_REUSEPORT`: a trial may change what the port remembers.
pub(super) fn trial_needed(
    question: &Question,
    judgements: &[Judgement],
    facts: &Facts,
    rules: Rules,
) -> Option<Need> {
    if question.trial == Permission::Forbidden {
        return None;
    }
    let sockets = examples(facts);
    let change = OptionChange { reuse_address: true, ..OptionChange::default() };
    judgements
        .iter()
        .filter(|judgement| judgement.errno() == Some(Errno::AddressInUse))
        .filter(|judgement| !judgement.request.options.reuse_port)
        .filter_map(|judgement| change.apply(&judgement.request))
        .find(|changed| {
            facts.trial_of(changed).is_none()
                && !bind::bind(changed, &sockets, &facts.host, rules).is_certain()
        })
        .map(Need::Trial)
}

fn against_refusals(failing: &[&Judgement], host: &Host) -> Vec<Remedy> {
    let mut steps: Vec<Step> = Vec::new();
    for judgement in failing {
        let Outcome::Fails { refusal: Some(refusal), .. } = judgement.outcome else { continue };
        let step = match refusal {
            Refusal::ReservedPort => Step::GainPrivilege,
            Refusal::AddressNotLocal => own_addresses(judgement.request.address, host),
            Refusal::NeedsInterface => Step::NameInterface,
            Refusal::AddressTentative
            | Refusal::AddressOnOtherInterface
            | Refusal::NoIpv6
            | Refusal::MappedOnV6Only
            | Refusal::Multicast
            | Refusal::NoSuchInterface => continue,
        };
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
    let certain =
        |step| Remedy { steps: vec![step], harm: Harm::Nothing, certainty: Certainty::Certain };
    steps.into_iter().map(certain).collect()
}

fn own_addresses(wanted: IpAddr, host: &Host) -> Step {
    let alike = |own: &IpAddr| own.is_ipv4() == wanted.to_canonical().is_ipv4();
    Step::MakeAddressLocal {
        own: host.own_addresses().into_iter().filter(alike).take(ADDRESSES_SHOWN).collect(),
    }
}

/// For one loopback address that is taken, the other family's, when it is free.
fn other_addresses(question: &Question, facts: &Facts, rules: Rules) -> Option<Remedy> {
    let [request] = question.requests.as_slice() else { return None };
    let other = match request.address {
        ip if !ip.is_loopback() => return None,
        IpAddr::V4(_) => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
    };
    let changed = Request { address: other, ..request.clone() };
    let free = bind::bind(&changed, &examples(facts), &facts.host, rules) == Ruling::Free;
    free.then(|| Remedy {
        steps: vec![Step::UseAddress(other)],
        harm: Harm::Nothing,
        certainty: Certainty::Certain,
    })
}

/// As many addresses as one recognises the right one among.
const ADDRESSES_SHOWN: usize = 4;
