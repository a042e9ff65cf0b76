use super::*;
use proptest::prelude::*;
use std::io::Write as _;
use std::process::{Command, Stdio};

fn mark() -> Mark {
    Mark::new(*b"0123456789")
}

/// What is output, and the last status, found with the whole stream at hand.
fn naive(stream: &[u8], mark: &Mark) -> (Vec<u8>, Option<u8>) {
    let (mut output, mut last, mut at) = (Vec::new(), None::<(Vec<u8>, u8)>, 0);
    while at < stream.len() {
        if let Some((length, status)) = mark_at(&stream[at..], mark) {
            let line = stream[at..at + length].to_vec();
            if let Some((earlier, _)) = last.replace((line, status)) {
                output.extend(earlier);
            }
            at += length;
        } else {
            output.push(stream[at]);
            at += 1;
        }
    }
    (output, last.map(|(_, status)| status))
}

fn mark_at(stream: &[u8], mark: &Mark) -> Option<(usize, u8)> {
    let rest = stream.strip_prefix(mark.octets())?;
    let digits = rest.iter().take_while(|octet| octet.is_ascii_digit()).count();
    let number = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
    let ends = digits <= 3 && rest.get(digits) == Some(&b'\n');
    ends.then(|| (mark.octets().len() + digits + 1, status(number)))
}

fn scan(pieces: &[&[u8]]) -> (Vec<u8>, Option<u8>) {
    let (mut scanner, mut output) = (Scanner::new(mark()), Vec::new());
    for piece in pieces {
        scanner.take(piece, &mut output);
    }
    scanner.finish(&mut output);
    (output, scanner.status())
}

/// Marks, halves of marks, and what looks like them.
fn pieces() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let whole = mark().to_string();
    let part = (0..=whole.len()).prop_map({
        let whole = whole.clone();
        move |length| whole.as_bytes()[..length].to_vec()
    });
    let with_status =
        (0..2000_u16).prop_map(move |number| format!("{whole}{number}\n").into_bytes());
    let any = proptest::collection::vec(any::<u8>(), 0..6);
    let like = prop_oneof!["[m\n0-9]{0,3}".prop_map(String::into_bytes)];
    proptest::collection::vec(prop_oneof![part, with_status, any, like], 0..12)
}

proptest! {
    #[test]
    fn however_the_stream_is_split_nothing_is_lost_invented_or_misread(pieces in pieces(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8)) {
        let stream = pieces.concat();
        let expected = naive(&stream, &mark());
        prop_assert_eq!(&scan(&[&stream]), &expected);
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        at.extend([0, stream.len()]);
        at.sort_unstable();
        let split: Vec<&[u8]> = at.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
        prop_assert_eq!(&scan(&split), &expected);
    }

    #[test]
    fn what_cannot_become_a_mark_is_handed_on_at_once(octets in proptest::collection::vec(any::<u8>(), 1..60)) {
        let (mut scanner, mut output) = (Scanner::new(mark()), Vec::new());
        scanner.take(&octets, &mut output);
        let held = octets.len() - output.len();
        prop_assert!(held == 0 || mark().octets().starts_with(&octets[octets.len() - held..]));
    }
}

#[test]
fn a_mark_that_is_not_the_last_is_output() {
    let line = format!("+ echo {0}0\n{0}7\n", mark());
    let traced = format!("+ echo {}0\n", mark());
    assert_eq!(scan(&[line.as_bytes()]), (traced.into_bytes(), Some(7)));
}

#[test]
fn what_something_left_behind_prints_after_the_mark_is_output() {
    let (mut scanner, mut output) = (Scanner::new(mark()), Vec::new());
    scanner.take(format!("out{}3\n", mark()).as_bytes(), &mut output);
    assert!(!scanner.is_followed());
    scanner.take(b"late", &mut output);
    assert_eq!(
        (&output[..], scanner.status(), scanner.is_followed()),
        (&b"outlate"[..], Some(3), true)
    );
}

#[test]
fn a_signal_is_told_as_most_shells_do() {
    assert_eq!([0, 7, 255, 137, 265, 258].map(status), [0, 7, 255, 137, 137, 130]);
}

/// What this shell makes of a command that is wrapped: output, errors, status.
fn run(
    shell: &[&str],
    command: &str,
    input: Input,
    at_end: AtEnd,
    stdin: &[u8],
) -> (String, Option<u8>) {
    let wrapped = wrap(command.as_bytes(), &mark(), input, at_end);
    let mut child = Command::new(shell[0])
        .args(&shell[1..])
        .arg("-c")
        .arg(String::from_utf8(wrapped).expect("text"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("failed to start {shell:?}: {error}"));
    let mut pipe = child.stdin.take().expect("a pipe");
    // A shell that has ended reads no more.
    let _ = pipe.write_all(stdin);
    let output = child.wait_with_output().expect("it ends");
    drop(pipe);
    let (text, status) = scan(&[&output.stdout]);
    (String::from_utf8_lossy(&text).into_owned(), status)
}

/// The shells of sh's kin that this machine has; `sh` is one of them everywhere.
fn shells() -> Vec<Vec<&'static str>> {
    let known: [&[&str]; 8] = [
        &["sh"],
        &["dash"],
        &["bash"],
        &["busybox", "sh"],
        &["ksh"],
        &["mksh"],
        &["zsh"],
        &["ksh93"],
    ];
    let is_there = |shell: &&[&str]| {
        Command::new(shell[0])
            .args(&shell[1..])
            .args(["-c", ":"])
            .stderr(Stdio::null())
            .status()
            .is_ok()
    };
    let there: Vec<_> = known.into_iter().filter(is_there).map(<[&str]>::to_vec).collect();
    assert!(there.iter().any(|shell| shell == &["sh"]), "a system without sh");
    there
}

#[test]
fn the_status_comes_back_from_every_shell_whatever_the_command_is() {
    for shell in shells() {
        let said = |command, status| {
            let got = run(&shell, command, Input::Nothing, AtEnd::AwaitLine, b"\n");
            assert_eq!(got, (status, got.1), "{shell:?}: {command}");
            got.1
        };
        assert_eq!(said("echo a; exit 7", "a\n".into()), Some(7), "{shell:?}");
        assert_eq!(said("echo \"it's\"; false", "it's\n".into()), Some(1), "{shell:?}");
        assert_eq!(said("sh -c 'kill -9 $$'", String::new()), Some(137), "{shell:?}");
        assert_eq!(said("printf 'no newline'", "no newline".into()), Some(0), "{shell:?}");
        assert_eq!(said("echo a # comment", "a\n".into()), Some(0), "{shell:?}");
        assert_eq!(said("-x 2>/dev/null", String::new()), Some(127), "{shell:?}");
        assert_eq!(said("echo ')' '('", ") (\n".into()), Some(0), "{shell:?}");
        assert!(said("if", String::new()).is_some_and(|status| status > 0), "{shell:?}");
        assert_eq!(said("cat", String::new()), Some(0), "{shell:?}");
        assert_eq!(said("kill -9 $$", String::new()), None, "{shell:?}");
    }
}

#[test]
fn counted_input_ends_where_it_should_and_is_read_to_the_end_whatever_the_command_leaves() {
    for shell in shells() {
        let counted = |command, stdin: &[u8]| {
            run(&shell, command, Input::Counted(stdin.len()), AtEnd::Leave, stdin)
        };
        assert_eq!(counted("cat; exit 3", b"12\n45"), ("12\n45".into(), Some(3)), "{shell:?}");
        assert_eq!(counted("exit 4", &vec![0; 1 << 20]), (String::new(), Some(4)), "{shell:?}");
        assert_eq!(
            counted("read a; echo got $a", b"1\n2\n"),
            ("got 1\n".into(), Some(0)),
            "{shell:?}"
        );
    }
}

#[test]
fn shells_of_another_kin_never_get_a_status_for_a_command_that_they_did_not_run() {
    for shell in ["csh", "tcsh", "fish"] {
        if Command::new(shell).args(["-c", "true"]).status().is_err() {
            continue;
        }
        let lines = run(&[shell], "exit 7\nexit 7", Input::Nothing, AtEnd::AwaitLine, b"\n");
        assert_eq!(lines.1, None, "{shell}");
        let counted = run(&[shell], "exit 7", Input::Counted(1), AtEnd::AwaitLine, b"1\n");
        assert_eq!(counted.1, None, "{shell}");
        let one = run(&[shell], "exit 7", Input::Nothing, AtEnd::AwaitLine, b"\n");
        assert!(matches!(one.1, None | Some(7)), "{shell}: {one:?}");
    }
}
