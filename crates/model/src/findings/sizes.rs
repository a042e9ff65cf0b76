//! How many worlds there are: what every other finding is drawn from.

use super::search::Searched;
use super::{Cost, Found, Row, Table};
use crate::tcp::world::{Network, Setting, Start};

pub(super) const TABLE: Table = Table {
    name: "sizes",
    question: "How many states can two ends and the segments between them be in?",
    answer: "Few enough to visit every one of them: what is said below is not sampled.",
    scope: "Both sides close when they like, in any order; segments are lost, doubled and overtaken as far as the \
            network has room; each retransmits when it likes. A state is both ends and what is under way, in no order.",
    columns: &[],
    rows: &[
        of("at most 2 segments under way", (527, 1948), |threads| {
            size(Setting::<2>::BASIC, threads)
        }),
        of("at most 3 under way", (1995, 10_418), |threads| size(Setting::<3>::BASIC, threads)),
        of("at most 4 under way", (5692, 37_078), |threads| size(Setting::<4>::BASIC, threads)),
        of("at most 4 under way, aborts", (19_269, 133_358), |threads| {
            size(aborting(Setting::<4>::BASIC), threads)
        }),
        of("at most 5 under way, aborts", (53_496, 430_526), |threads| {
            size(aborting(Setting::<5>::BASIC), threads)
        }),
        of("at most 3 under way, an octet each way", (143_755, 818_310), |threads| {
            size(writing(1, Setting::<3>::BASIC), threads)
        }),
        of("at most 4 under way, an octet each way", (1_017_440, 7_541_734), |threads| {
            size(writing(1, Setting::<4>::BASIC), threads)
        }),
        of("at most 4 under way, an octet each way, aborts", (2_173_503, 18_006_240), |threads| {
            size(aborting(writing(1, Setting::<4>::BASIC)), threads)
        }),
        of("at most 3 under way, two octets each way", (2_619_140, 15_609_314), |threads| {
            size(writing(2, Setting::<3>::BASIC), threads)
        }),
        large(
            "at most 5 under way, an octet each way, aborts",
            (12_468_832, 122_819_182),
            |threads| size(aborting(writing(1, Setting::<5>::BASIC)), threads),
        ),
        of("at most 2 under way, from the opening on, aborts", (4086, 19_823), |threads| {
            size(Setting { start: Start::Closed, ..aborting(Setting::<2>::BASIC) }, threads)
        }),
        of("what was sent may arrive any number of times, for ever", (228, 1422), |threads| {
            size(Setting { network: Network::Set, ..Setting::<16>::BASIC }, threads)
        }),
        of("the same, aborts", (1199, 7912), |threads| {
            size(aborting(Setting { network: Network::Set, ..Setting::<16>::BASIC }), threads)
        }),
    ],
};

const fn of(setting: &'static str, size: (u64, u64), search: fn(usize) -> Found) -> Row {
    Row { setting, cost: Cost::Usual, size: Some(size), expected: &[], search }
}

const fn large(setting: &'static str, size: (u64, u64), search: fn(usize) -> Found) -> Row {
    Row { cost: Cost::Large, ..of(setting, size, search) }
}

fn size<const N: usize>(setting: Setting<N>, threads: usize) -> Found {
    Searched::all(setting, threads).found()
}

const fn aborting<const N: usize>(setting: Setting<N>) -> Setting<N> {
    Setting { aborts: true, ..setting }
}

const fn writing<const N: usize>(octets: u32, setting: Setting<N>) -> Setting<N> {
    Setting { octets, ..setting }
}
