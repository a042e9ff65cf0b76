//! Our own scripts under each profile; and that every switch is noticed by one of them.

use super::*;
use crate::script::cells::{self, Cell};

use proptest::prelude::*;

const LINUX: Dialect = Dialect::LINUX;
const RFC: Dialect = Dialect::RFC_9293;
const FREE_BSD: Dialect = Dialect::FREE_BSD;

macro_rules! scripts {
    ($($name:literal)*) => {
        [$(($name, include_str!(concat!("../../../scripts/", $name, ".pkt")))),*]
    };
}

/// Our own scripts.
pub(super) const SCRIPTS: [(&str, &str); 36] = scripts! {
    "a-fin-overtaken-by-an-acknowledgement-counts"
    "a-fin-repeated-in-closing-acknowledges-ours"
    "a-fin-repeated-in-time-wait-is-acknowledged-again"
    "a-fin-that-acknowledges-ours-leads-straight-to-time-wait"
    "a-fin-that-comes-before-the-data-waits-for-it"
    "a-half-close-goes-on-reading"
    "a-lost-fin-is-sent-again"
    "a-lost-fin-of-the-second-is-sent-again"
    "a-new-syn-reopens-time-wait"
    "a-reset-after-the-peers-fin-breaks-the-pipe"
    "a-reset-at-the-next-number-ends-the-connection"
    "a-reset-before-the-acknowledgement-is-read-by-nobody"
    "a-reset-elsewhere-in-the-window-is-challenged"
    "a-reset-ends-time-wait"
    "a-reset-outside-the-window-is-ignored"
    "a-silent-peer-is-given-up-by-keepalive"
    "a-syn-in-a-connection-is-challenged"
    "a-user-timeout-ends-what-is-not-acknowledged"
    "an-old-syn-in-time-wait-is-answered"
    "an-orphan-in-fin-wait-2-ends-by-itself"
    "both-close-at-once-and-both-keep-time-wait"
    "both-open-at-once-and-close-in-order"
    "closing-a-listener-forgets-what-is-half-open"
    "closing-a-listener-resets-what-was-not-accepted"
    "closing-before-the-answer-sends-nothing"
    "closing-with-unread-data-resets"
    "connecting-where-nobody-listens-is-refused"
    "data-after-the-program-closed-resets"
    "lingering-for-no-time-resets"
    "the-last-data-leaves-before-the-fin"
    "the-peer-closes-first-and-we-keep-nothing"
    "time-wait-ends-by-itself"
    "we-close-first-and-keep-time-wait"
    "whoever-comes-after-the-end-is-reset"
    "with-rfc1337-set-a-reset-leaves-time-wait-alone"
    "writing-after-the-end-breaks-the-pipe"
};

/// Where our own scripts differ from a profile, which is named; all others pass.
const DIFFER: [(&str, &str, &str); 11] = [
    ("a-fin-repeated-in-closing-acknowledges-ours", "rfc9293", "old-segments-acknowledge"),
    ("a-reset-after-the-peers-fin-breaks-the-pipe", "rfc9293", "reset-after-fin-breaks-pipe"),
    ("an-orphan-in-fin-wait-2-ends-by-itself", "rfc9293", "fin-wait-2-ends"),
    (
        "with-rfc1337-set-a-reset-leaves-time-wait-alone",
        "rfc9293",
        "the setting net.ipv4.tcp_rfc1337=1",
    ),
    ("a-fin-repeated-in-closing-acknowledges-ours", "freebsd", "repeats-fin-with-ack"),
    ("a-reset-after-the-peers-fin-breaks-the-pipe", "freebsd", "reset-after-fin-breaks-pipe"),
    ("a-reset-ends-time-wait", "freebsd", "time-wait-ignores-reset"),
    ("an-old-syn-in-time-wait-is-answered", "freebsd", "time-wait-answers-fin-without-ack"),
    ("both-close-at-once-and-both-keep-time-wait", "freebsd", "repeats-fin-with-ack"),
    ("closing-with-unread-data-resets", "freebsd", "unread-data-at-close-resets"),
    (
        "with-rfc1337-set-a-reset-leaves-time-wait-alone",
        "freebsd",
        "the setting net.ipv4.tcp_rfc1337=1",
    ),
];

/// A connection that a listener made, and what then happens to it.
fn story(rest: &str) -> String {
    let listens = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 bind(3, ..., ...) = 0\n+0 listen(3, 1) = 0\n";
    let opens = "+0 < S 0:0(0) win 65535\n+0 > S. 0:0(0) ack 1\n+0 < . 1:1(0) ack 1 win 65535\n";
    format!("{listens}{opens}+0 accept(3, ..., ...) = 4\n{rest}")
}

/// The same, already in `TIME_WAIT`.
fn in_time_wait(rest: &str) -> String {
    let closes = "+0 shutdown(4, SHUT_WR) = 0\n+0 > F. 1:1(0) ack 1\n+0 < F. 1:1(0) ack 2\n+0 > . 2:2(0) ack 2\n";
    story(&format!("{closes}{rest}"))
}

/// Stories in which systems differ, beside the scripts.
fn where_systems_differ() -> Vec<String> {
    let gone = "+0 `sockstat -s | grep -c TIME_WAIT | grep 0`\n+0 < . 2:2(0) ack 2\n+0 > R 2:2(0)";
    vec![
        in_time_wait("+0 < F 2:2(0)\n+0 > . 2:2(0) ack 2"),
        in_time_wait(&format!("+0 < SF 100000:100000(0) win 1\n{gone}")),
        in_time_wait("+0 < . 100:100(0) ack 2\n+0 > . 2:2(0) ack 2"),
        story("+0 < R 65536:65536(0)\n+0 > . 1:1(0) ack 1"),
        story("+0 < R 100:100(0)\n+0 read(4, ..., 10) = -1 ECONNRESET"),
        story("+0 < F. 1:1(0) ack 1\n+0 > . 1:1(0) ack 2\n+0 < R 1:1(0)\n+0 getsockopt(4, SOL_SOCKET, SO_ERROR, [EPIPE], [4]) = 0"),
        story("+0 close(4) = 0\n+0 > F. 1:1(0) ack 1\n+0 < . 1:2(1) ack 2\n+0 > R 2:2(0)"),
        "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 listen(3, 1) = 0\n+0 < S. 5:5(0) ack 9\n+0 > R 9:9(0)".to_owned(),
        "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 listen(3, 1) = 0\n+0 < S 0:0(0)\n+0 > S. 0:0(0) ack 1\n+0 < S 0:0(0)\n+0 > S. 0:0(0) ack 1\n+0 < . 1:1(0) ack 1\n+0 accept(3, ..., ...) = 4".to_owned(),
        "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 listen(3, 1) = 0\n+0 < SF 0:0(0)\n+0 > S. 0:0(0) ack 1".to_owned(),
    ]
}

#[test]
fn our_own_scripts_pass_or_differ_by_a_named_switch() {
    for (name, text) in SCRIPTS {
        for dialect in [LINUX, RFC, FREE_BSD] {
            let system = dialect.profile.name;
            let verdict = judge(text, &dialect).unwrap_or_else(|error| panic!("{name}: {error}"));
            let differs = DIFFER.iter().find(|row| row.0 == name && row.1 == system);
            let wanted = differs.map_or("pass", |row| row.2);
            let got = match &verdict {
                Verdict::Deviation(names) => names.join(" and "),
                Verdict::Skipped(reason) => reason.split(" (line").next().unwrap_or("").to_owned(),
                other => other.to_string(),
            };
            assert_eq!(got, wanted, "{name} under {system}");
        }
    }
}

#[test]
fn every_switch_is_noticed() {
    let mut texts: Vec<String> = SCRIPTS.iter().map(|(_, text)| (*text).to_owned()).collect();
    texts.extend(where_systems_differ());
    let cells: Vec<Cell> = cells::all().collect();
    let parts: Vec<_> = cells.chunks(64).map(|part| (part, in_the_cells(part, &LINUX))).collect();
    for switch in &SWITCHES {
        let noticed = texts.iter().any(|text| {
            [LINUX, RFC, FREE_BSD].into_iter().any(|dialect| {
                let script = parse(text, dialect.defined).expect("a script");
                let turned = Dialect { profile: (switch.turned)(dialect.profile), ..dialect };
                let passes = |dialect| replay(&script, dialect) == Verdict::Pass;
                passes(&dialect) != passes(&turned)
            })
        });
        let turned = LINUX.with((switch.turned)(LINUX.profile));
        let differs = || parts.iter().any(|(part, seen)| in_the_cells(part, &turned) != *seen);
        assert!(noticed || differs(), "{} can be turned without notice", switch.name);
    }
}

/// What is observed in these cells.
fn in_the_cells(cells: &[Cell], dialect: &Dialect) -> Vec<Observed> {
    let predictions = cells::predict(cells, dialect).expect("a way to every state");
    predictions.into_iter().map(|prediction| prediction.observed).collect()
}

#[test]
fn where_systems_differ_each_does_what_its_source_says() {
    let passes = |dialect: &Dialect| -> Vec<bool> {
        let verdicts = where_systems_differ().into_iter();
        verdicts.map(|text| judge(&text, dialect) == Ok(Verdict::Pass)).collect()
    };
    assert_eq!(passes(&LINUX), [true, true, true, true, false, true, true, true, true, false]);
    assert_eq!(passes(&RFC), [false, false, false, false, false, false, true, true, false, true]);
    assert_eq!(
        passes(&FREE_BSD),
        [false, false, true, false, false, false, true, false, true, true]
    );
}

#[test]
fn what_is_sent_and_not_expected_is_a_failure_at_the_next_segment() {
    let text = story("+0 < F. 1:1(0) ack 1\n+0 < . 2:2(0) ack 1");
    let Ok(Verdict::Fail(failure)) = judge(&text, &LINUX) else { panic!() };
    assert_eq!(failure.place.line, 9);
    assert_eq!(failure.got, "ACK seq 1 ack 2");
}

#[test]
fn what_is_expected_and_not_sent_is_a_failure() {
    let text = story("+0 > F. 1:1(0) ack 1");
    let verdict = judge(&text, &LINUX).expect("a script").to_string();
    assert_eq!(verdict, "fail: line 8: expected FIN,ACK seq 1 ack 1, got nothing");
}

#[test]
fn a_script_that_needs_more_is_skipped_and_never_passes() {
    let skipped = |rest: &str| match judge(&story(rest), &LINUX) {
        Ok(Verdict::Skipped(reason)) => reason,
        other => panic!("{rest}: {other:?}"),
    };
    assert_eq!(skipped("+0 `reboot`"), "the shell command 'reboot' (line 8, column 4)");
    assert_eq!(skipped("+0 epoll_create(1) = 5"), "the call epoll_create (line 8, column 1)");
    assert!(skipped("+0 `sysctl -w net.inet.tcp.insecure_rst=1`").starts_with("the setting "));
    assert!(skipped("+0 setsockopt(4, SOL_TCP, TCP_REPAIR, [1], 4) = 0").contains("TCP_REPAIR"));
}

#[test]
fn a_syn_names_its_number_and_what_follows_counts_from_there() {
    let text = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 listen(3, 1) = 0\n\
        +0 < S 999000:999000(0)\n+0 > S. 1234:1234(0) ack 999001\n+0 < . 1:1(0) ack 1\n\
        +0 accept(3, ..., ...) = 4\n+0 close(4) = 0\n+0 > F. 1:1(0) ack 1\n\
        +0 < F. 1:1(0) ack 2\n+0 > . 2:2(0) ack 2";
    assert_eq!(judge(text, &LINUX), Ok(Verdict::Pass));
}

#[test]
fn two_switches_are_named_where_one_is_not_enough() {
    let text = in_time_wait(
        "+0 < F 2:2(0)\n+0 > . 2:2(0) ack 2\n+0 < R 2:2(0)\n+0 `sockstat | grep -c TIME_WAIT | grep 1`",
    );
    let verdict = judge(&text, &RFC).expect("a script");
    let names = vec!["time-wait-ignores-reset", "time-wait-answers-fin-without-ack"];
    assert_eq!(verdict, Verdict::Deviation(names));
}

/// Steps in an order that nobody wrote; numbers near those that matter, and near the ends of the range.
fn any_step() -> impl Strategy<Value = String> {
    let number = prop_oneof![0_u32..4, Just(u32::MAX), Just(65_536), Just(0x8000_0000)];
    let length = prop_oneof![Just(0_u32), Just(1), Just(1000), Just(u32::MAX)];
    let flags = prop::sample::select(vec!["S", "S.", ".", "F.", "F", "R", "R.", "SF", "FR.", "-"]);
    let segment = (prop::bool::ANY, flags, number.clone(), length, number).prop_map(
        |(arrives, flags, first, length, ack)| {
            let direction = if arrives { "<" } else { ">" };
            let end = first.wrapping_add(length);
            let ack = if flags.contains('.') { format!(" ack {ack}") } else { String::new() };
            format!("+1 {direction} {flags} {first}:{end}({length}){ack} win 9")
        },
    );
    let call = prop::sample::select(vec![
        "+0 close(3) = 0",
        "+0 close(4) = 0",
        "+0 shutdown(4, SHUT_WR) = 0",
        "+0 shutdown(3, SHUT_RDWR) = 0",
        "+0 accept(3, ..., ...) = 4",
        "+0 listen(3, 1) = 0",
        "+0 connect(3, ..., ...) = -1 EINPROGRESS",
        "+0 write(4, ..., 100) = 100",
        "+0 read(4, ..., 100) = 1",
        "+0 getsockopt(4, SOL_SOCKET, SO_RCVBUF, [4294967295], [4]) = 0",
        "+0 setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0",
        "+0 setsockopt(4, SOL_SOCKET, SO_KEEPALIVE, [1], 4) = 0",
        "+9999999 `tcpdrop -s TIME_WAIT`",
        "+0 < icmp unreachable port_unreachable [0:0(0)]",
    ]);
    prop_oneof![segment, call.prop_map(str::to_owned)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_story_makes_the_replay_panic(steps in prop::collection::vec(any_step(), 0..12)) {
        let opened = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 listen(3, 1) = 0\n";
        for story in [story(&steps.join("\n")), format!("{opened}{}", steps.join("\n"))] {
            // What is expected is left out in one run, so that the story goes on.
            let arriving: Vec<&str> = story.lines().filter(|line| !line.contains('>')).collect();
            for text in [&story, &arriving.join("\n")] {
                for dialect in [LINUX, RFC, FREE_BSD] {
                    prop_assert!(judge(text, &dialect).is_ok());
                }
            }
        }
    }
}
