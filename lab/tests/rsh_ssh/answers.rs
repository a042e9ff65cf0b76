//! What commands write and how they end comes back true.

use crate::scene::{Scene, sorted};
use serde_json::Value;

#[test]
fn a_command_runs_on_every_host_and_each_line_says_whose_it_is() {
    let scene = Scene::new();
    let run = scene.rsh(&["-w", "node[1-3],node5", "-x", "node2", "echo", "hi;", "echo", "there"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let expected =
        ["node1: hi", "node1: there", "node3: hi", "node3: there", "node5: hi", "node5: there"];
    assert_eq!(sorted(&run.stdout), expected);
    let plain = scene.rsh(&["-N", "-w", "node1", "printf 'no end'"]);
    assert_eq!((plain.code, plain.stdout.as_str()), (Some(0), "no end\n"));
    assert_eq!(scene.left(), Vec::<String>::new());
}

#[test]
fn standard_error_stays_apart_and_the_exit_code_is_true() {
    let scene = Scene::new();
    let run = scene.rsh(&[
        "-w",
        "node[1-2]",
        "echo out; echo err >&2; case $SSH_CONNECTION in *.1.2\\ *) exit 7; esac",
    ]);
    assert_eq!(run.code, Some(3));
    assert_eq!(sorted(&run.stdout), ["node1: out", "node2: out"]);
    assert!(
        run.stderr.contains("node1: err\n") && run.stderr.contains("node2: err\n"),
        "{}",
        run.stderr
    );
    let row = run.stderr.lines().find(|line| line.starts_with("node2 ")).expect("its row");
    assert_eq!(row.split_whitespace().nth(1), Some("7"), "{row}");
    assert!(!run.stderr.lines().any(|line| line.starts_with("node1 ")), "{}", run.stderr);
    assert!(run.stderr.contains("2 hosts: 1 succeeded, 1 failed; "), "{}", run.stderr);
    assert!(run.stderr.lines().all(|line| line.chars().count() <= 80), "{}", run.stderr);
}

#[test]
fn the_worst_status_is_passed_on_and_255_of_a_command_is_no_failure_of_ssh() {
    let scene = Scene::new();
    let command = "case $SSH_CONNECTION in *.1.2\\ *) exit 7; esac; exit 5";
    assert_eq!(scene.rsh(&["-w", "node[1-2]", "--exit", "worst", command]).code, Some(7));
    assert_eq!(scene.rsh(&["-w", "node[1-2]", "--exit", "worst", "true"]).code, Some(0));
    let run = scene.rsh(&["-w", "node1", "--json", "exit 255"]);
    let ended = events(&run.stdout, "ended").remove(0);
    assert_eq!((&ended["status"], &ended["failure"]), (&255.into(), &Value::Null));
    let killed = scene.rsh(&["-w", "node1", "--exit", "worst", "--json", "kill -9 $$"]);
    let ended = events(&killed.stdout, "ended").remove(0);
    assert_eq!((&ended["failure"]["cause"], killed.code), (&"no_status".into(), Some(255)));
    assert_eq!(
        (&ended["failure"]["ran"], &ended["failure"]["ended"]),
        (&"yes".into(), &"yes".into())
    );
}

#[test]
fn the_same_output_is_shown_once_under_the_hosts_that_wrote_it() {
    let scene = Scene::new();
    let command = "case $SSH_CONNECTION in *.1.2\\ *) echo other;; *) echo same; echo lines; esac";
    let run = scene.rsh(&["-b", "-w", "node[4,1-3]", command]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let line = "---------------";
    assert_eq!(
        run.stdout,
        format!("{line}\nnode[1,3-4] (3)\n{line}\nsame\nlines\n{line}\nnode2\n{line}\nother\n")
    );
}

#[test]
fn what_is_too_much_to_gather_is_printed_as_it_comes() {
    let scene = Scene::new();
    let command = "i=0; while [ $i -lt 40 ]; do printf '%050000d\\n' $i; i=$((i+1)); done";
    let run = scene.rsh(&["-b", "-w", "node1", command]);
    assert_eq!(run.code, Some(0));
    assert!(
        run.stderr.contains("node1: too much output to gather, printed as it comes"),
        "{}",
        run.stderr
    );
    assert_eq!(run.stdout.lines().filter(|line| line.starts_with("node1: 0")).count(), 40);
}

#[test]
fn commands_read_nothing_unless_they_are_given_something() {
    let scene = Scene::new();
    let run = scene.rsh(&["-w", "node[1-2]", "cat; echo end"]);
    assert_eq!(sorted(&run.stdout), ["node1: end", "node2: end"]);
    let file = scene.write("input", "for all\n");
    let run = scene.rsh(&["-w", "node[1-2]", "--stdin", file.to_str().expect("text"), "cat"]);
    assert_eq!(sorted(&run.stdout), ["node1: for all", "node2: for all"]);
    let typed = scene.shell("echo typed | $L rsh -w node1 --stdin - cat");
    assert_eq!(typed.stdout, "node1: typed\n");
    let hosts = scene.shell("printf 'node1 # first\\nnode[2-3]\\n' | $L rsh -w - -x node3 echo hi");
    assert_eq!(sorted(&hosts.stdout), ["node1: hi", "node2: hi"]);
    let loops = scene
        .shell("printf 'node1\\nnode2\\n' | while read h; do $L rsh -w $h true; echo $h; done");
    assert_eq!(loops.stdout, "node1\nnode2\n", "it does not eat the list");
    let unread = scene.shell("head -c 3000000 /dev/zero | $L rsh -w node1 --stdin - true");
    assert_eq!((unread.code, unread.stderr.as_str()), (Some(0), ""));
}

#[test]
fn octets_pass_unchanged_and_a_line_without_end_is_cut() {
    let scene = Scene::new();
    let run =
        scene.shell("$L rsh -N -w node1 \"printf '\\\\377\\\\0\\\\033[2J\\\\n'\" | od -An -tx1");
    assert_eq!(run.stdout.trim(), "ff 00 1b 5b 32 4a 0a");
    let long = scene.rsh(&["-w", "node1", "head -c 70000 /dev/zero | tr '\\0' x"]);
    let lengths: Vec<usize> =
        long.stdout.lines().map(|line| line.len() - "node1: ".len()).collect();
    assert_eq!(lengths, [65536, 70000 - 65536]);
    assert!(long.stderr.contains("node1: a line is longer than 64 KiB"), "{}", long.stderr);
}

#[test]
fn json_loses_nothing_and_tells_the_whole_story() {
    let scene = Scene::new();
    let run = scene.rsh(&["--json", "-w", "node1", "printf 'a\\n\\377\\nb'; echo e >&2; exit 4"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(3), ""));
    let names: Vec<String> = lines(&run.stdout)
        .iter()
        .map(|event| event["event"].as_str().expect("a name").to_owned())
        .collect();
    assert_eq!((names[0].as_str(), names[1].as_str()), ("planned", "started"));
    assert_eq!(names.iter().filter(|name| *name == "wrote").count(), 4);
    assert_eq!(names[names.len() - 2..], ["ended", "summary"]);
    let wrote = events(&run.stdout, "wrote");
    let of = |source: &str| -> Vec<&Value> {
        wrote.iter().filter(|event| event["source"] == source).collect()
    };
    let out = of("stdout");
    assert_eq!(
        (&out[0]["text"], &out[1]["base64"], &out[2]["text"]),
        (&"a\n".into(), &"/wo=".into(), &"b".into())
    );
    assert_eq!(of("stderr")[0]["text"], "e\n");
    let summary = events(&run.stdout, "summary").remove(0);
    assert_eq!(
        (&summary["failed"], &summary["worst"], &summary["outcome"]),
        (&1.into(), &4.into(), &"complete".into())
    );
}

#[test]
fn the_user_is_that_of_the_list_or_of_the_option() {
    let scene = Scene::new();
    let run = scene.rsh(&["-l", "tester", "-w", "node1,root@node2,tester@node3", "id -un"]);
    let expected = ["node1: tester", "root@node2: root", "tester@node3: tester"];
    assert_eq!((run.code, sorted(&run.stdout)), (Some(0), expected.to_vec()));
}

#[test]
fn two_hundred_hosts_at_thirty_two_at_once_all_answer() {
    let scene = Scene::new();
    let run = scene.rsh(&["-w", "node[1-200]", "-f", "32", "--connect-timeout", "60s", "echo ok"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert_eq!(run.stdout.lines().filter(|line| line.ends_with(": ok")).count(), 200);
}

#[test]
fn on_a_terminal_control_characters_are_shown_and_progress_is_gone_in_the_end() {
    let scene = Scene::new();
    let line =
        "stty cols 80; exec \"$L\" rsh -w node1 \"printf '\\\\033[2J\\\\033[1mbold\\\\n'; exit 2\"";
    let mut command = scene.command("script");
    command
        .args(["-qec", line, "/dev/null"])
        .env("TERM", "xterm")
        .env("L", lastack_lab::program::path());
    let run = lastack_lab::program::run(&mut command);
    assert_eq!(run.code, Some(3), "{run:#?}");
    assert!(run.stdout.contains("node1: \\x1b[2J\u{1b}[1mbold\u{1b}[0m\r\n"), "{:?}", run.stdout);
    let (_, last) = run.stdout.rsplit_once("\r\u{1b}[K").expect("a line of progress, erased");
    assert!(!last.contains("running"), "{last:?}");
    assert!(last.contains("1 host: 0 succeeded, 1 failed"), "{last:?}");
}

/// Every event; each follows the schema.
fn lines(text: &str) -> Vec<Value> {
    let schema: Value =
        serde_json::from_str(include_str!("../../../docs/schema/rsh.v1.json")).expect("a schema");
    let all: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    for event in &all {
        assert_eq!(crate::validate::faults(&schema, event), Vec::<String>::new(), "{event}");
    }
    all
}

/// The events of this name.
pub(crate) fn events(text: &str, name: &str) -> Vec<Value> {
    lines(text).into_iter().filter(|event| event["event"] == name).collect()
}
