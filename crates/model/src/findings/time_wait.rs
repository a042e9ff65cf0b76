//! How long `TIME_WAIT` must be: the one table in which time passes.

use super::Value::{After, Never};
use super::search::Searched;
use super::{Cost, Found, Row, Table, row};
use crate::tcp::profile::{Profile, TimeWaitReset, TimeWaitRestart};
use crate::tcp::world::{Initial, Network, Packed, Setting, Side, TimeWait};

pub(super) const TABLE: Table = Table {
    name: "time-wait",
    question: "How long must TIME_WAIT be?",
    answer: "If a segment can arrive L ticks after it was sent at the latest, the wait must be 3L + 1 ticks where only \
             a repeated FIN starts it anew (RFC 9293), and 2L + 1 where every acknowledgement does (Linux). So twice \
             the segment lifetime is enough by Linux's rule, and not by the letter of the RFC.",
    scope: "The worst case: both connections begin with the same sequence number, unless it says that numbers \
            rise. A closes first, no octets are sent, resets do not end TIME_WAIT, and it does \
            not end while the peer still waits for the last ACK. Two connections, a window of 4. A segment sent may \
            arrive any number of times while it lives.",
    columns: &["an old segment is accepted"],
    rows: &[
        row("L = 1, a FIN starts the wait anew, 3 ticks", &[After(17)], |threads| {
            waited(FIN, 1, 3, threads)
        }),
        row("L = 1, a FIN starts the wait anew, 4 ticks", &[Never], |threads| {
            waited(FIN, 1, 4, threads)
        }),
        row("L = 1, any ACK does, 2 ticks", &[After(14)], |threads| waited(ANY_ACK, 1, 2, threads)),
        row("L = 1, any ACK does, 3 ticks", &[Never], |threads| waited(ANY_ACK, 1, 3, threads)),
        row("L = 2, a FIN starts the wait anew, 6 ticks", &[After(20)], |threads| {
            waited(FIN, 2, 6, threads)
        }),
        row("L = 2, a FIN starts the wait anew, 7 ticks", &[Never], |threads| {
            waited(FIN, 2, 7, threads)
        }),
        row("L = 2, any ACK does, 4 ticks", &[After(16)], |threads| waited(ANY_ACK, 2, 4, threads)),
        row("L = 2, any ACK does, 5 ticks", &[Never], |threads| waited(ANY_ACK, 2, 5, threads)),
        large("L = 3, a FIN starts the wait anew, 9 ticks", &[After(23)], |threads| {
            waited(FIN, 3, 9, threads)
        }),
        large("L = 3, a FIN starts the wait anew, 10 ticks", &[Never], |threads| {
            waited(FIN, 3, 10, threads)
        }),
        large("L = 3, any ACK does, 6 ticks", &[After(18)], |threads| {
            waited(ANY_ACK, 3, 6, threads)
        }),
        large("L = 3, any ACK does, 7 ticks", &[Never], |threads| waited(ANY_ACK, 3, 7, threads)),
        large("L = 1, resets end TIME_WAIT, 4 ticks, initial numbers rise", &[Never], |threads| {
            searched(
                Setting {
                    profile: Profile::RFC_9293,
                    initial: Initial::Rising,
                    ..timed(FIN, 1, 4)
                },
                threads,
            )
        }),
    ],
};

const fn large(
    setting: &'static str,
    expected: &'static [super::Value],
    search: fn(usize) -> Found,
) -> Row {
    Row { cost: Cost::Large, ..row(setting, expected, search) }
}

fn waited(restart: TimeWaitRestart, latest: u8, ticks: u8, threads: usize) -> Found {
    searched(timed(restart, latest, ticks), threads)
}

const fn timed(restart: TimeWaitRestart, latest: u8, ticks: u8) -> Setting<ROOM> {
    Setting {
        // Who lives for two ticks may arrive in the tick after the one it was sent in.
        network: Network::Aged { ticks: latest + 1 },
        time_wait: TimeWait::Ticks(ticks),
        incarnations: 2,
        profile: Profile {
            time_wait_reset: TimeWaitReset::Ignored,
            time_wait_restart: restart,
            ..Profile::RFC_9293
        },
        first_to_close: Some(Side::A),
        ..Setting::BASIC
    }
}

fn searched(setting: Setting<ROOM>, threads: usize) -> Found {
    let searched = Searched::all(setting, threads);
    searched.found().and(searched.reached(Packed::is_deceived))
}

const FIN: TimeWaitRestart = TimeWaitRestart::Fin;
const ANY_ACK: TimeWaitRestart = TimeWaitRestart::AnyAck;

/// More different segments than there ever are at once: the world would stop with an error if there were.
const ROOM: usize = 24;
