//! What `lastack tune` does not do, and says why: each time everything is as it was.

use crate::apply::{Folders, assert_ends, value};
use lastack_lab::namespace::Namespace;
use lastack_lab::paper::assert_clean;
use lastack_lab::program::{self, User, lastack};
use std::process::Command;

/// Nothing was changed and nothing recorded.
fn assert_untouched(folders: &Folders) {
    for (name, default) in
        [("tcp_fin_timeout", "60"), ("tcp_retries2", "15"), ("tcp_timestamps", "1")]
    {
        assert_eq!(value(name), default, "{name}");
    }
    assert!(!folders.is_recorded(), "nothing to take back");
    assert_eq!(folders.conf(), None);
}

#[test]
fn values_out_of_range_and_unknown_names_are_usage_errors_and_change_nothing() {
    let _namespace = Namespace::enter();
    let folders = Folders::new();
    for (wrong, reason) in [
        ("tcp_fin_timeout=-1", "-1 is outside 0 to 2147483"),
        ("tcp_fin_timeout=abc", "is not a whole number"),
        ("tcp_fin_timeout=", "no value given"),
        ("tcp_fin_timeout=2147484", "outside"),
        ("tcp_tw_reuse=3", "it takes 0 to 2"),
        ("ip_local_port_range=1000-2000", "the kernel refuses that"),
        ("ip_local_reserved_ports=80-79", "ends before it begins"),
        ("tcp_fin_timout=30", "did you mean tcp_fin_timeout?"),
        ("vm.swappiness=10", "is not one of the settings"),
        ("tcp_tw_recycle=1", "removed in 4.12"),
        ("TCP_TIMEWAIT_LEN=5", "nothing changes it"),
        ("SO_LINGER=0", "is set by a program"),
        ("TcpTimedWaitDelay=30", "belongs to Windows"),
        ("tcp_max_orphans=9", "of the whole host"),
        ("=30", "is not one of the settings"),
    ] {
        let refused = folders.tune(&["tcp_retries2=10", wrong, "--yes", "--persist", "--force"]);
        assert_ends(&refused, 2);
        assert_eq!(refused.stdout, "");
        assert!(refused.stderr.contains(reason), "{wrong}: {}", refused.stderr);
        assert_eq!(refused.stderr.lines().count(), 1, "one clear error: {}", refused.stderr);
        assert_untouched(&folders);
    }
}

#[test]
fn dangerous_values_are_refused_with_the_reason_and_done_if_forced() {
    let _namespace = Namespace::enter();
    let folders = Folders::new();
    let refused = folders.tune(&["tcp_timestamps=0", "tcp_retries2=5", "--yes"]);
    assert_ends(&refused, 1);
    assert!(refused.stdout.contains("Refused: 2 values are dangerous"), "{}", refused.stdout);
    assert!(refused.stdout.contains("refused for a"), "the reason: {}", refused.stdout);
    assert_untouched(&folders);
    assert_ends(&folders.tune(&["tcp_timestamps=0", "--yes", "--force"]), 0);
    assert_eq!(value("tcp_timestamps"), "0");
    let table = lastack(&["tune"]);
    assert!(table.stdout.contains("1 gives cause for concern"), "{}", table.stdout);
    assert!(table.stdout.contains("      ! without timestamps"), "{}", table.stdout);
}

#[test]
fn without_a_yes_and_a_terminal_nothing_is_changed() {
    let _namespace = Namespace::enter();
    let folders = Folders::new();
    let asked = folders.tune(&["tcp_fin_timeout=30"]);
    assert_ends(&asked, 1);
    assert!(asked.stdout.contains("nothing was changed without a yes"), "{}", asked.stdout);
    assert!(asked.stdout.contains("lastack tune tcp_fin_timeout=30"), "{}", asked.stdout);
    let shown = folders.tune(&["tcp_fin_timeout=30", "--dry-run"]);
    assert_ends(&shown, 0);
    let already = folders.tune(&["tcp_fin_timeout=60", "--yes"]);
    assert_ends(&already, 0);
    assert!(already.stdout.contains("tcp_fin_timeout is 60 s already"), "{}", already.stdout);
    assert_untouched(&folders);
}

#[test]
fn an_ordinary_user_sees_everything_and_is_told_what_root_would_add() {
    let _namespace = Namespace::enter();
    let folders = Folders::new();
    let table = folders.tune_as(User::Nobody, &[]);
    assert_ends(&table, 0);
    assert!(table.stdout.contains("tcp_fin_timeout"), "{}", table.stdout);
    assert!(table.stdout.contains("/proc/slabinfo is readable by root only"), "{}", table.stdout);
    let refused = folders.tune_as(User::Nobody, &["tcp_fin_timeout=30", "--yes"]);
    assert_ends(&refused, 2);
    assert!(refused.stdout.contains("tcp_fin_timeout: 60 s -> 30 s"), "{}", refused.stdout);
    assert!(refused.stderr.contains("needs CAP_NET_ADMIN"), "{}", refused.stderr);
    assert!(refused.stderr.contains("sudo lastack tune tcp_fin_timeout=30"), "{}", refused.stderr);
    assert_untouched(&folders);
}

#[test]
fn where_proc_sys_is_read_only_the_error_says_so() {
    let _namespace = Namespace::enter();
    let program = program::path();
    let script = format!(
        "mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && {} tune tcp_fin_timeout=30 --yes",
        program.display()
    );
    let refused = program::run(Command::new("unshare").args(["--mount", "sh", "-c", &script]));
    assert_ends(&refused, 2);
    assert!(refused.stderr.contains("/proc/sys is mounted read-only"), "{}", refused.stderr);
    assert!(refused.stdout.contains("Nothing was changed"), "{}", refused.stdout);
    assert_eq!(value("tcp_fin_timeout"), "60");
}

#[test]
fn a_folder_that_cannot_be_written_stops_everything_before_the_first_change() {
    let _namespace = Namespace::enter();
    let folders = Folders::new();
    std::fs::remove_dir_all(folders.config()).expect("removed");
    let refused = folders.tune(&["tcp_fin_timeout=30", "--persist", "--yes"]);
    assert_ends(&refused, 2);
    assert!(refused.stderr.contains("90-lastack.conf"), "{}", refused.stderr);
    assert_untouched(&folders);
    let state = folders.state();
    std::fs::remove_dir_all(&state).expect("removed");
    std::fs::write(&state, "a file").expect("a file in its place");
    let refused = folders.tune(&["tcp_fin_timeout=30", "--yes"]);
    assert_ends(&refused, 2);
    assert_untouched(&folders);
}

#[test]
fn when_the_kernel_refuses_one_of_several_values_the_others_are_put_back() {
    let _namespace = Namespace::enter();
    let folders = Folders::new();
    // Behind the second name stands a setting that takes 0 to 2 only.
    let script = format!(
        "cd /proc/sys/net/ipv4 && mount --bind tcp_tw_reuse tcp_syn_retries && {} tune tcp_fin_timeout=30 \
         tcp_syn_retries=5 --yes --state-dir {}",
        program::path().canonicalize().expect("the program").display(),
        folders.state().display()
    );
    let refused = program::run(Command::new("unshare").args(["--mount", "sh", "-c", &script]));
    assert_ends(&refused, 2);
    assert!(refused.stderr.contains("does not take this value"), "{}", refused.stderr);
    assert!(refused.stdout.contains("Nothing was changed"), "{}", refused.stdout);
    assert_untouched(&folders);
}

#[test]
fn a_record_that_cannot_be_read_is_an_error_and_not_overwritten() {
    let _namespace = Namespace::enter();
    let folders = Folders::new();
    let file = folders.state().join("tune-undo.json");
    std::fs::write(&file, "{\"schema\": \"other\", \"entries\": []}").expect("a file");
    for arguments in [&["--undo"][..], &["tcp_fin_timeout=30", "--yes"]] {
        let refused = folders.tune(arguments);
        assert_ends(&refused, 2);
        assert!(refused.stderr.contains("its schema is \"other\""), "{}", refused.stderr);
        assert_eq!(value("tcp_fin_timeout"), "60");
    }
}

#[test]
fn options_that_do_not_belong_together_are_usage_errors() {
    let _namespace = Namespace::enter();
    for arguments in [
        &["tune", "tcp_fin_timeout", "tcp_retries2=10"][..],
        &["tune", "tcp_fin_timeout", "=", "30"],
        &["tune", "tcp_fin_timeout", "30"],
        &["tune", "--yes"],
        &["tune", "tcp_fin_timeout", "--persist"],
        &["tune", "--undo", "tcp_fin_timeout=30"],
        &["tune", "tcp_fin_timeout=30", "--os", "freebsd"],
        &["tune", "tcp_fin_timeout", "--os", "windows"],
        &["tune", "tcp_fin_timeout=30", "--yes", "--dry-run"],
    ] {
        let refused = lastack(arguments);
        assert_ends(&refused, 2);
        assert_eq!(refused.stdout, "", "{arguments:?}");
    }
    assert_eq!(value("tcp_fin_timeout"), "60");
}

#[test]
fn no_line_is_wider_than_80_columns_and_no_colour_is_in_a_pipe() {
    let _namespace = Namespace::enter();
    let folders = Folders::new();
    let mut names: Vec<String> =
        lastack_model::tune::all().map(|setting| setting.name.to_owned()).collect();
    names.sort();
    names.dedup();
    let explain: Vec<&str> = names.iter().map(String::as_str).collect();
    for arguments in [&[][..], &["--os", "all"], &explain, &["ip_local_port_range=40000-50000"]] {
        assert_clean(&folders.tune(arguments).stdout);
    }
}
