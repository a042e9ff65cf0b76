//! `lastack check replay`: what it prints and how it ends. No privilege is needed: it reads files and nothing else.

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
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 80), "{}", run.stdout);
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
