//! `lastack check replay`: what it prints and how it ends. No privilege is needed: it reads files and nothing else.

use lastack_lab::paper::assert_clean;
use lastack_lab::program;
use std::fs;
use std::path::{Path, PathBuf};

/// Our own scripts.
fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/model/scripts")
}

/// A folder of this test's own, gone when dropped.
struct Folder(PathBuf);

impl Folder {
    fn with(name: &str, files: &[(&str, &str)]) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _old = fs::remove_dir_all(&path);
        for (file, text) in files {
            let file = path.join(file);
            let folder = file.parent().unwrap_or(&path);
            fs::create_dir_all(folder).expect("a folder in the target directory");
            fs::write(&file, text).expect("a file in the target directory");
        }
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("a path in UTF-8")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

/// The lines of an answer without the blanks that align them.
fn lines(text: &str) -> Vec<String> {
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

const OPENS: &str = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 listen(3, 1) = 0\n\
                     +0 < S 0:0(0)\n+0 > S. 0:0(0) ack 1\n+0 < . 1:1(0) ack 1\n+0 accept(3, ..., ...) = 4\n";

#[test]
fn our_own_scripts_pass_against_linux_for_anybody() {
    let scripts = scripts();
    let scripts = scripts.to_str().expect("a path in UTF-8");
    let run = program::lastack(&["check", "replay", "--suite", scripts]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:#?}");
    assert_eq!(lines(&run.stdout)[0], "36 scripts against linux: 36 pass.");
}

#[test]
fn a_suite_is_counted_by_reason_and_by_directory() {
    let resets = format!(
        "{OPENS}+0 < F. 1:1(0) ack 1\n+0 > . 1:1(0) ack 2\n+0 < R 2:2(0)\n+0 getsockopt(4, SOL_SOCKET, SO_ERROR, [ECONNRESET], [4]) = 0\n"
    );
    let fails = format!("{OPENS}+0 > F. 1:1(0) ack 1\n");
    let suite = Folder::with(
        "a_suite",
        &[
            ("one/passes.pkt", OPENS),
            ("one/differs.pkt", &resets),
            ("two/fails.pkt", &fails),
            ("two/needs-more.pkt", "0 `reboot`\n"),
            ("two/no-script.txt", "nothing"),
        ],
    );
    let run = program::lastack(&["check", "replay", "--suite", suite.path()]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    let told = [
        "4 scripts against linux: 1 passes, 1 differ as named, 1 fails, 1 skipped.",
        "",
        "Differ in",
        "1 reset-after-fin-breaks-pipe",
        "",
        "Skipped for",
        "1 the shell command 'reboot'",
        "",
        "Fail, or cannot be read",
        "two/fails.pkt: fail: line 7: expected FIN,ACK seq 1 ack 1, got nothing",
        "",
        "By directory",
        "pass differ fail skipped unreadable directory",
        "1 1 0 0 0 one",
        "0 0 1 1 0 two",
    ];
    assert_eq!(lines(&run.stdout), told);
    assert_clean(&run.stdout);
}

#[test]
fn one_script_is_told_by_itself_and_the_exit_code_says_how_it_went() {
    let suite = Folder::with(
        "one_script",
        &[("passes.pkt", OPENS), ("wrong.pkt", "+0 < S 0:5(4)\n"), ("more.pkt", "+0 `reboot`\n")],
    );
    let replay = |file: &str| {
        let run = program::lastack(&["check", "replay", "--suite", suite.path(), file, "--each"]);
        (run.code, run.stdout)
    };
    assert_eq!(replay("passes.pkt").0, Some(0));
    assert_eq!(replay("more.pkt").0, Some(3));
    let (code, told) = replay("wrong.pkt");
    assert_eq!(code, Some(2));
    let why = "wrong.pkt: cannot be read: line 1, column 8: from 0 to 5 there are 5";
    assert!(told.contains(why), "{told}");
}

#[test]
fn what_is_no_script_is_one_clear_error() {
    let empty = Folder::with("no_script", &[("readme.txt", "nothing")]);
    for (arguments, error) in [
        (vec!["/nonexistent"], "lastack: failed to read /nonexistent: No such file or directory"),
        (vec!["/dev/zero"], "lastack: failed to read /dev/zero: it is longer than 1 MiB"),
        (vec!["--suite", empty.path()], "lastack: there is no script (*.pkt) in "),
    ] {
        let run = program::lastack(&[vec!["check", "replay"], arguments].concat());
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:#?}");
        assert!(run.stderr.starts_with(error) && run.stderr.lines().count() == 1, "{run:#?}");
    }
}

/// A suite of which each script ends in another way.
fn mixed(name: &str) -> Folder {
    let resets = format!(
        "{OPENS}+0 < F. 1:1(0) ack 1\n+0 > . 1:1(0) ack 2\n+0 < R 2:2(0)\n+0 getsockopt(4, SOL_SOCKET, SO_ERROR, [ECONNRESET], [4]) = 0\n"
    );
    let fails = format!("{OPENS}+0 > F. 1:1(0) ack 1\n");
    Folder::with(
        name,
        &[
            ("one/passes.pkt", OPENS),
            ("one/differs.pkt", &resets),
            ("two/fails.pkt", &fails),
            ("two/needs-more.pkt", "0 `reboot`\n"),
            ("two/wrong.pkt", "+0 < S 0:5(4)\n"),
        ],
    )
}

const EXPECTED: &str = "script\tlinux\n\
     one/differs.pkt\tdiffer:reset-after-fin-breaks-pipe\n\
     one/passes.pkt\tpass\n\
     two/fails.pkt\tfail\n\
     two/needs-more.pkt\tskipped\n\
     two/wrong.pkt\tunreadable\n";

#[test]
fn a_table_of_verdicts_is_written_and_then_expected() {
    let suite = mixed("a_table");
    let tables = Folder::with("tables", &[("readme.txt", "")]);
    let table = format!("{}/suite.tsv", tables.path());
    let replay = |more: &[&str]| {
        program::lastack(&[&["check", "replay", "--suite", suite.path()], more].concat())
    };
    assert_eq!(replay(&["--write-table", &table]).code, Some(2), "one script cannot be read");
    assert_eq!(fs::read_to_string(&table).expect("the table"), EXPECTED);
    let as_expected = replay(&["--expect", &table]);
    assert_eq!((as_expected.code, as_expected.stderr.as_str()), (Some(0), ""), "{as_expected:#?}");
    assert!(as_expected.stdout.contains("Every verdict is the one in "), "{as_expected:#?}");
    // A second system gets a column of its own; the first keeps its own.
    replay(&["--against", "rfc9293", "--write-table", &table]);
    let both = fs::read_to_string(&table).expect("the table");
    assert!(both.starts_with("script\tlinux\trfc9293\n"), "{both}");
    assert_eq!(replay(&["--expect", &table]).code, Some(0));
}

#[test]
fn every_verdict_that_is_not_the_expected_one_is_listed() {
    let suite = mixed("other_verdicts");
    let other = EXPECTED
        .replace("passes.pkt\tpass", "passes.pkt\tskipped")
        .replace("two/fails.pkt\tfail\n", "two/gone.pkt\tpass\n");
    let tables = Folder::with("other_tables", &[("suite.tsv", &other), ("broken.tsv", "a\tb\n")]);
    let table = format!("{}/suite.tsv", tables.path());
    let replay = |more: &[&str]| {
        program::lastack(&[&["check", "replay", "--suite", suite.path()], more].concat())
    };
    let run = replay(&["--expect", &table]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    let told = run.stdout.split_once("Other than in ").expect("a list").1;
    let told: Vec<String> = lines(told).split_off(1);
    let expected = [
        "one/passes.pkt: pass, expected skipped",
        "two/fails.pkt: fail, not in the table",
        "two/gone.pkt: there is no such script, expected pass",
    ];
    assert_eq!(told, expected);
    let one = replay(&["one/passes.pkt", "--expect", &table]);
    assert!(one.code == Some(1) && !one.stdout.contains("gone.pkt"), "{one:#?}");
    let broken = format!("{}/broken.tsv", tables.path());
    for (arguments, error) in [
        (&["--expect", "/nonexistent"][..], "failed to read the table /nonexistent"),
        (&["--expect", &broken], "line 1: the head"),
        (&["--expect", &table, "--against", "freebsd"], "has no column for freebsd"),
    ] {
        let run = replay(arguments);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:#?}");
        assert!(run.stderr.contains(error) && run.stderr.lines().count() == 1, "{run:#?}");
    }
}

#[test]
fn the_ladders_of_scripts_follow_their_verdicts() {
    let suite = mixed("ladders");
    let run = program::lastack(&[
        "check",
        "replay",
        "--suite",
        suite.path(),
        "one/passes.pkt",
        "two/wrong.pkt",
        "--ladder",
    ]);
    assert_eq!(run.code, Some(2), "{run:#?}");
    let ladder = run.stdout.split_once("one/passes.pkt against linux: passes.").expect("one").1;
    assert!(ladder.contains("SYN,ACK seq 0 ack 1") && ladder.contains("ESTABLISHED"), "{ladder}");
    assert_clean(&run.stdout);
    let kernel = program::lastack(&["check", "replay", "--against", "kernel", "x.pkt", "--ladder"]);
    assert_eq!((kernel.code, kernel.stdout.as_str()), (Some(2), ""), "{kernel:#?}");
}

#[test]
fn the_tables_of_public_suites_hold_names_and_verdicts_and_nothing_else() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/suites");
    let mut tables = 0;
    for entry in fs::read_dir(&folder).expect("docs/suites") {
        let file = entry.expect("an entry").path();
        if file.extension().is_none_or(|extension| extension != "tsv") {
            continue;
        }
        tables += 1;
        let text = fs::read_to_string(&file).expect("a table");
        let rows = text.lines().filter(|line| !line.starts_with('#'));
        for row in rows.skip(1) {
            let mut fields = row.split('\t');
            let name = fields.next().unwrap_or_default();
            let is_verdict = |field: &str| {
                let (kind, switches) = field.split_once(':').unwrap_or((field, ""));
                let plain = ["pass", "fail", "skipped", "unreadable"].contains(&kind);
                plain && switches.is_empty() || kind == "differ" && !switches.is_empty()
            };
            let is_script = Path::new(name).extension().is_some_and(|extension| extension == "pkt");
            assert!(is_script && !name.contains(' '), "{}: {row}", file.display());
            assert!(fields.all(is_verdict), "{}: {row}", file.display());
        }
    }
    assert_eq!(tables, 5);
}
