//! Two connections between the same addresses and ports, one after the other: is a segment of the first taken for one of
//! the second?

use super::Value::{After, Never};
use super::search::Searched;
use super::{Found, Table, row};
use crate::tcp::profile::{Profile, TimeWaitReset};
use crate::tcp::world::{Initial, Network, Packed, Setting, Side, TimeWait};

pub(super) const TABLE: Table = Table {
    name: "incarnations",
    question: "What keeps old segments out of the next connection between the same ports?",
    answer: "Two guards, each of which is enough: a TIME_WAIT that is neither skipped nor cut short, and initial \
             sequence numbers that rise. An abort leaves the second one only.",
    scope: "The worst case: both connections begin with the same sequence number, unless it says that numbers rise. \
            Two connections, at most 3 segments under way unless said otherwise, a window of 4.",
    columns: &["an old segment is accepted"],
    rows: &[
        row(
            "TIME_WAIT is kept, resets do not end it, the last ACK arrives in time",
            &[Never],
            |threads| deceived(kept::<3>(), threads),
        ),
        row("the same, at most 4 under way", &[Never], |threads| deceived(kept::<4>(), threads)),
        row("the same, at most 2 under way, an octet each way", &[Never], |threads| {
            deceived(Setting { octets: 1, ..kept::<2>() }, threads)
        }),
        row("losses outlast TIME_WAIT", &[After(16)], |threads| {
            deceived(Setting { time_wait: TimeWait::Drained, ..kept::<3>() }, threads)
        }),
        row("a reset ends TIME_WAIT (RFC 9293, Linux): RFC 1337", &[After(13)], |threads| {
            deceived(Setting { profile: Profile::RFC_9293, ..kept::<3>() }, threads)
        }),
        row("TIME_WAIT is skipped", &[After(11)], |threads| deceived(skipped::<3>(), threads)),
        row("TIME_WAIT is skipped, initial numbers rise", &[Never], |threads| {
            deceived(rising(skipped::<3>()), threads)
        }),
        row("the same, at most 4 under way", &[Never], |threads| {
            deceived(rising(skipped::<4>()), threads)
        }),
        row("the first connection is aborted, TIME_WAIT kept otherwise", &[After(4)], |threads| {
            deceived(aborted::<3>(), threads)
        }),
        row("it is aborted, initial numbers rise", &[Never], |threads| {
            deceived(rising(aborted::<3>()), threads)
        }),
        row("the same, at most 4 under way", &[Never], |threads| {
            deceived(rising(aborted::<4>()), threads)
        }),
        row(
            "TIME_WAIT is skipped, and old segments may arrive for ever",
            &[After(10)],
            |threads| deceived(for_ever(), threads),
        ),
        row("the same, initial numbers rise", &[Never], |threads| {
            deceived(rising(for_ever()), threads)
        }),
    ],
};

/// Two connections, with `TIME_WAIT` as it is meant to be.
pub(super) const fn kept<const N: usize>() -> Setting<N> {
    Setting {
        incarnations: 2,
        time_wait: TimeWait::DrainedAndAcknowledged,
        profile: Profile { time_wait_reset: TimeWaitReset::Ignored, ..Profile::RFC_9293 },
        ..Setting::BASIC
    }
}

const fn skipped<const N: usize>() -> Setting<N> {
    Setting { time_wait: TimeWait::Any, ..kept() }
}

const fn aborted<const N: usize>() -> Setting<N> {
    Setting { aborts: true, ..kept() }
}

const fn rising<const N: usize>(setting: Setting<N>) -> Setting<N> {
    Setting { initial: Initial::Rising, ..setting }
}

/// A closes first here.
const fn for_ever() -> Setting<28> {
    Setting { network: Network::Set, first_to_close: Some(Side::A), ..skipped() }
}

fn deceived<const N: usize>(setting: Setting<N>, threads: usize) -> Found {
    let searched = Searched::all(setting, threads);
    searched.found().and(searched.reached(Packed::is_deceived))
}
