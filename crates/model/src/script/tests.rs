//! What is read, what is beyond the subset, and where errors are.

use super::*;
use crate::state::State;
use crate::tcp::moment::Moment;
use crate::tcp::segment::Control;
use proptest::prelude::*;

fn steps(text: &str) -> Vec<Step> {
    parse(text, &[]).unwrap_or_else(|error| panic!("{text}: {error}")).steps
}

fn body(text: &str) -> Body {
    let [step] = &steps(text)[..] else { panic!("{text}: not one step") };
    step.body.clone()
}

fn error(text: &str) -> (u32, u32, String) {
    let error = parse(text, &[]).expect_err(text);
    (error.place.line, error.place.column, error.what)
}

fn unsupported(text: &str) -> String {
    match body(text) {
        Body::Unsupported(unsupported) => unsupported.what,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn a_step_happens_at_one_of_five_kinds_of_time() {
    let when = |text: &str| steps(&format!("{text} < . 1:1(0) ack 1"))[0].when;
    let millis = Moment::of_millis;
    assert_eq!(when("0.5"), When::At(millis(500)));
    assert_eq!(when(".5"), When::At(millis(500)));
    assert_eq!(when("+1"), When::After(millis(1000)));
    assert_eq!(when("+ 0.010"), When::After(millis(10)));
    assert_eq!(when("*"), When::Any);
    assert_eq!(when("0.5~0.7"), When::Between(millis(500), millis(700)));
    assert_eq!(when("+.5 ~ +.7"), When::AfterBetween(millis(500), millis(700)));
    assert_eq!(when("+0.0000019"), When::After(Moment(1)));
}

#[test]
fn a_call_that_blocks_says_when_it_returns() {
    for text in ["+.1...0.25 connect(3, ..., ...) = 0", "0 ...0.25 connect(3, ..., ...) = 0"] {
        let Body::Call(call) = body(text) else { panic!("{text}") };
        assert_eq!(call.until, Some(Moment::of_millis(250)), "{text}");
    }
}

#[test]
fn a_segment_has_flags_numbers_window_and_options() {
    let text = "+0 < SFP. 1:11(10) ack 7 win 257 <mss 1460,nop,TS val 100  ecr 0>";
    let Body::Arrives(pattern) = body(text) else { panic!() };
    assert_eq!(pattern.control, Control::SYN.with(Control::FIN));
    assert_eq!(pattern.acknowledged, Acknowledged::Upto(7));
    assert_eq!(pattern.sequence, Sequence { first: Some(1), length: 10 });
    assert_eq!(pattern.window, Some(257));
    assert_eq!(pattern.options.value("mss"), Some("1460"));
    assert_eq!(pattern.options.value("TS"), Some("val 100 ecr 0"));
    let Body::Sent(open) = body("+0 > [ect0] S. ...(0) ack ... <...>") else { panic!() };
    assert_eq!(open.sequence.first, None);
    assert_eq!(open.acknowledged, Acknowledged::Open);
    let Body::Sent(bare) = body("* > R 2:2(0)") else { panic!() };
    assert_eq!((bare.acknowledged, bare.window), (Acknowledged::Nothing, None));
}

#[test]
fn numbers_wrap_round() {
    let Body::Arrives(pattern) = body("+0 < F. 4294967295:0(1) ack 4294967295") else { panic!() };
    assert_eq!(pattern.sequence, Sequence { first: Some(u32::MAX), length: 1 });
}

#[test]
fn a_call_has_arguments_a_result_and_an_errno() {
    let text = "+0 setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = -1 EINVAL (Invalid argument)";
    let Body::Call(call) = body(text) else { panic!() };
    assert_eq!((call.name.as_str(), call.number(0)), ("setsockopt", Some(4)));
    assert_eq!((call.field(3, "onoff"), call.field(3, "linger")), (Some(1), Some(0)));
    assert_eq!((call.result, call.errno.as_deref()), (Value::Number(-1), Some("EINVAL")));
    let Body::Call(flags) = body("+0 fcntl(3, F_SETFL, O_RDWR | O_NONBLOCK) = 0x02 (flags)") else {
        panic!()
    };
    assert_eq!(flags.names(2), ["O_RDWR", "O_NONBLOCK"]);
    assert_eq!(flags.result, Value::Number(2));
    let Body::Call(nested) =
        body("+0 sendmsg(4, {msg_name(...)=..., msg_iov(1)=[{...,10}], msg_flags=0}, 0) = 10")
    else {
        panic!()
    };
    assert_eq!(nested.field(1, "msg_flags"), Some(0));
}

#[test]
fn a_shell_command_is_recognised_and_never_run() {
    let shell = |text: &str| match body(text) {
        Body::Shell(commands) => commands,
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(shell("`./defaults.sh`"), [Shell::SetUp("./defaults.sh".to_owned())]);
    let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        shell("`sysctl -q net.ipv4.tcp_rfc1337=1 \\\n net.ipv4.tcp_rmem=\"4096 1 2\"`"),
        [Shell::Set(vec![set("net.ipv4.tcp_rfc1337", "1"), set("net.ipv4.tcp_rmem", "4096 1 2")])]
    );
    assert_eq!(shell("`sysctl -w net.inet.tcp.hostcache.purgenow=1`"), [Shell::Purge]);
    assert_eq!(shell("+0 `tcpdrop -s TIME_WAIT`"), [Shell::Drop(State::TimeWait)]);
    let count = [Shell::Count(State::TimeWait, 1)];
    assert_eq!(shell("+0 `sockstat -4 -s | grep x | grep -c TIME_WAIT | grep 1`"), count);
    assert_eq!(shell("+0 `ss -Htan state time-wait | wc -l | grep -x 1`"), count);
    assert_eq!(unsupported("`rm -rf /`"), "the shell command 'rm -rf /'");
    assert_eq!(unsupported("`true\ntc qdisc`"), "the shell command 'true'");
}

#[test]
fn an_assertion_about_the_state_is_recognised() {
    let state = |text: &str| match body(text) {
        Body::Assert(Assertion::State(state)) => state,
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(state("+0 %{ assert tcpi_state == TCPI_FIN_WAIT_2 }%"), State::FinWait2);
    assert_eq!(state("+0 %{ assert tcpi_state == TCP_SYN_RECV, tcpi_state }%"), State::SynReceived);
    assert_eq!(unsupported("+0 %{ assert tcpi_snd_cwnd == 10 }%").split('\'').count(), 3);
}

#[test]
fn what_is_no_plain_segment_is_beyond_the_subset() {
    assert_eq!(unsupported("+0 > udp (1400)"), "UDP");
    assert_eq!(
        unsupported("+0 < ipv4 1.1.1.1 > 2.2.2.2: . 1:1(0)"),
        "a segment inside another protocol"
    );
    assert_eq!(unsupported("+0 > . 1:1(0) ack 1/udp(9 > 9)"), "a segment inside another protocol");
    let Body::Icmp(icmp) = body("+0 < icmp unreachable port_unreachable [1:1(0)]") else {
        panic!()
    };
    assert_eq!((icmp.code.as_str(), icmp.about), ("port_unreachable", Some(1)));
}

#[test]
fn conditions_choose_lines_and_keep_their_places() {
    let text = "#ifdef STANDARD\n+0 < R 1:1(0)\n#else\n+0 < S 1:1(0)\n#endif\n+0 close(3) = 0\n";
    let lines = |defined: &[&str]| -> Vec<u32> {
        let script = parse(text, defined).expect("a script");
        script.steps.iter().map(|step| step.place.line).collect()
    };
    assert_eq!(lines(&["STANDARD"]), [2, 6]);
    assert_eq!(lines(&[]), [4, 6]);
    assert_eq!(error("#ifdef X\n").2, "this condition has no #endif");
    assert_eq!(error("\n#endif\n"), (2, 1, "#endif without #ifdef".to_owned()));
}

#[test]
fn options_stand_at_the_head_and_comments_anywhere() {
    let text = "// first\n--tolerance_usecs=75000\n--ip_version=ipv4\n/* two\nlines */\n0 close(3) = 0 // end";
    let script = parse(text, &[]).expect("a script");
    assert_eq!(script.option("ip_version"), Some("ipv4"));
    assert_eq!((script.steps.len(), script.steps[0].place.line), (1, 6));
}

#[test]
fn an_error_says_what_is_wrong_and_where() {
    let wrong = [
        ("+0 < S 0:5(4) win 1", 1, 8, "from 0 to 5 there are 5 octets, not 4"),
        (
            "+0 > Sx 0:0(0)",
            1,
            6,
            "expected the flags of a segment (S F R P . U E W), but there is 'Sx'",
        ),
        (
            "\n  close(3) = 0",
            2,
            3,
            "expected the time of a step ('+0.1', '0.5', '*'), but there is 'close(3)'",
        ),
        ("+0 close(3 = 0", 1, 12, "expected ',', but there is '='"),
        ("+0 `sysctl", 1, 5, "this shell command has no end"),
        ("+0 < . 99999999999:1(0)", 1, 8, "99999999999 is more than 32 bits hold"),
        ("0.7~0.5 < . 1:1(0)", 1, 8, "this range ends before it begins"),
        ("/* never", 1, 1, "this comment has no end"),
        ("+0 read(3, \"abc", 1, 12, "this text has no closing quote"),
        ("99999999999999999999 close(3) = 0", 1, 1, "this time is longer than can be kept"),
    ];
    for (text, line, column, what) in wrong {
        assert_eq!(error(text), (line, column, what.to_owned()), "{text}");
    }
    let nested = format!("+0 f({}", "[".repeat(100_000));
    assert_eq!(error(&nested).2, "values are nested too deep");
}

/// Pieces that scripts are made of, so that random ones get further than their first character.
const PIECES: [&str; 24] = [
    "+0 ",
    "0.5",
    "*",
    "~",
    "...",
    "< ",
    "> ",
    "S. ",
    "1:1(0)",
    " ack 1",
    " win ",
    "<mss 1460>",
    "\n",
    "`",
    "%{ assert tcpi_state == ",
    "}%",
    "close(3)",
    " = ",
    "-1",
    " EPIPE",
    "(",
    ")",
    "#ifdef A\n",
    "[{...}]",
];

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,80}") {
        let _any = parse(&text, &[]);
    }

    #[test]
    fn no_pieces_of_scripts_make_the_reader_panic(picks in prop::collection::vec(0..PIECES.len(), 0..20)) {
        let text: String = picks.iter().map(|at| PIECES[*at]).collect();
        let lines = text.split('\n').count() as u32;
        match parse(&text, &["A"]) {
            Ok(script) => prop_assert!(script.steps.iter().all(|step| step.place.line <= lines)),
            Err(error) => prop_assert!(error.place.line <= lines && error.place.column >= 1),
        }
    }

    #[test]
    fn a_segment_is_read_as_it_was_written(first: u32, length in 0_u32..100_000, ack: u32, fin: bool) {
        let flags = if fin { "F." } else { "." };
        let end = first.wrapping_add(length);
        let body = body(&format!("+0 < {flags} {first}:{end}({length}) ack {ack} win 1"));
        let Body::Arrives(pattern) = body else { panic!() };
        prop_assert_eq!(pattern.sequence, Sequence { first: Some(first), length });
        prop_assert_eq!(pattern.acknowledged, Acknowledged::Upto(ack));
        prop_assert_eq!(pattern.control == Control::FIN, fin);
    }
}
