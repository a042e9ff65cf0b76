//! Our own scripts against the kernel that runs: what the model `linux` passes, the kernel must pass.
//!
//! One after the other, since moments count.

use lastack_lab::privilege::require_root;
use lastack_lab::program::{self, User};
use lastack_model::script::parse;
use lastack_model::script::replay::{Dialect, Verdict};
use lastack_os::live;
use std::fs;
use std::path::{Path, PathBuf};

/// Those that wait longer than five seconds.
const LONG: [&str; 3] = [
    "a-silent-peer-is-given-up-by-keepalive",
    "a-user-timeout-ends-what-is-not-acknowledged",
    "time-wait-ends-by-itself",
];

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/model/scripts")
}

#[test]
fn the_kernel_does_what_our_own_scripts_say() {
    require_root();
    let mut played = 0;
    let mut wrong = Vec::new();
    for entry in fs::read_dir(scripts()).expect("our own scripts") {
        let path = entry.expect("an entry of that directory").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        if LONG.contains(&name.as_str()) {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a script");
        let script = parse(&text, Dialect::LINUX.defined).expect("it can be read");
        let verdict = live::replay(&script).unwrap_or_else(|error| panic!("failed to {error}"));
        played += 1;
        if verdict != Verdict::Pass {
            wrong.push(format!("{name}: {verdict}"));
        }
    }
    assert_eq!(wrong, [""; 0], "of {played} scripts");
    assert_eq!(played, 33);
}

#[test]
fn the_program_says_what_the_kernel_does_and_exits_accordingly() {
    require_root();
    let script = scripts().join("closing-with-unread-data-resets.pkt");
    let script = script.to_str().expect("a path in UTF-8");
    let run = program::lastack(&["check", "replay", "--against", "kernel", script]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:#?}");
    assert!(
        run.stdout.starts_with("1 script against this machine's kernel: 1 passes."),
        "{run:#?}"
    );
}

#[test]
fn whoever_may_make_no_namespace_is_told_what_is_needed() {
    require_root();
    let script = program::path_for_anybody().with_file_name("for-anybody.pkt");
    fs::write(&script, "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n").expect("a file there");
    let script = script.to_str().expect("a path in UTF-8");
    let run =
        program::lastack_as(User::Nobody, &["check", "replay", "--against", "kernel", script]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:#?}");
    assert!(run.stderr.contains("run as root"), "{run:#?}");
}
