//! Values are changed, kept, recorded and taken back as `lastack tune` says.

use lastack_lab::namespace::Namespace;
use lastack_lab::program::{Run, User, lastack_as};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// Folders of this test alone, removed when it is over.
pub(crate) struct Folders(PathBuf);

impl Folders {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("lastack-tune-{}-{number}", std::process::id());
        let folders = Self(std::env::temp_dir().join(name));
        fs::create_dir_all(folders.config()).expect("a scratch folder");
        fs::create_dir_all(folders.state()).expect("a scratch folder");
        // Anybody may write here, so that what keeps an ordinary user from it is the kernel.
        for folder in [folders.config(), folders.state()] {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).expect("a mode");
        }
        folders
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.0.join("sysctl.d")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.0.join("state")
    }

    pub(crate) fn conf(&self) -> Option<String> {
        fs::read_to_string(self.config().join("90-lastack.conf")).ok()
    }

    pub(crate) fn is_recorded(&self) -> bool {
        self.state().join("tune-undo.json").exists()
    }

    pub(crate) fn tune(&self, arguments: &[&str]) -> Run {
        self.tune_as(User::Root, arguments)
    }

    pub(crate) fn tune_as(&self, user: User, arguments: &[&str]) -> Run {
        let (config, state) = (self.config(), self.state());
        let [config, state] = [&config, &state].map(|path| path.to_str().expect("a path"));
        let folders = ["--config-dir", config, "--state-dir", state];
        lastack_as(user, &[&["tune"], arguments, &folders[..]].concat())
    }
}

impl Drop for Folders {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The present value below `/proc/sys/net/ipv4`.
pub(crate) fn value(name: &str) -> String {
    let text = fs::read_to_string(format!("/proc/sys/net/ipv4/{name}")).expect("a setting");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(crate) fn assert_ends(run: &Run, code: i32) {
    assert_eq!(run.code, Some(code), "{}{}", run.stdout, run.stderr);
}

#[test]
fn a_change_is_made_verified_and_taken_back() {
    let _namespace = Namespace::enter();
    let folders = Folders::new();
    let changed = folders.tune(&["tcp_fin_timeout=30", "net.ipv4.tcp_retries2=10", "--yes"]);
    assert_ends(&changed, 0);
    assert!(changed.stdout.starts_with("Changed 2 settings, and read back"), "{}", changed.stdout);
    assert_eq!((value("tcp_fin_timeout"), value("tcp_retries2")), ("30".into(), "10".into()));
    assert!(folders.is_recorded() && folders.conf().is_none());
    let undone = folders.tune(&["--undo"]);
    assert_ends(&undone, 0);
    assert!(undone.stdout.contains("tcp_fin_timeout: 30 s -> 60 s"), "{}", undone.stdout);
    assert_eq!((value("tcp_fin_timeout"), value("tcp_retries2")), ("60".into(), "15".into()));
    assert!(!folders.is_recorded());
    let again = folders.tune(&["--undo"]);
    assert_ends(&again, 1);
    assert!(again.stdout.contains("Nothing is recorded"), "{}", again.stdout);
}

#[test]
fn changes_are_taken_back_one_after_the_other_the_last_one_first() {
    let _namespace = Namespace::enter();
    let folders = Folders::new();
    assert_ends(&folders.tune(&["tcp_fin_timeout=30", "--yes"]), 0);
    assert_ends(&folders.tune(&["tcp_fin_timeout=20", "--yes"]), 0);
    let first = folders.tune(&["--undo"]);
    assert_ends(&first, 0);
    assert_eq!(value("tcp_fin_timeout"), "30");
    assert!(first.stdout.contains("1 earlier or elsewhere recorded"), "{}", first.stdout);
    assert_ends(&folders.tune(&["--undo"]), 0);
    assert_eq!(value("tcp_fin_timeout"), "60");
}

#[test]
fn a_persisted_value_is_merged_into_the_file_and_taken_out_again() {
    let _namespace = Namespace::enter();
    let folders = Folders::new();
    let theirs = "# by hand\nnet.ipv4.tcp_retries2=12\nkernel.panic = 3\n";
    fs::write(folders.config().join("90-lastack.conf"), theirs).expect("a file");
    fs::write(folders.config().join("99-late.conf"), "net.ipv4.tcp_fin_timeout = 45\n")
        .expect("a file");
    let changed = folders.tune(&[
        "tcp_fin_timeout=30",
        "tcp_retries2=10",
        "ip_local_port_range=40000-50000",
        "--persist",
        "--yes",
    ]);
    assert_ends(&changed, 0);
    let merged = folders.conf().expect("the file");
    assert_eq!(
        merged,
        "# by hand\nnet.ipv4.tcp_retries2 = 10\nkernel.panic = 3\n\
         net.ipv4.ip_local_port_range = 40000 50000\nnet.ipv4.tcp_fin_timeout = 30\n"
    );
    assert!(changed.stdout.contains("99-late.conf sets"), "{}", changed.stdout);
    assert!(changed.stdout.contains("not for this one"), "a namespace: {}", changed.stdout);
    assert_ends(&folders.tune(&["--undo"]), 0);
    let back = folders.conf().expect("the file");
    assert_eq!(back, "# by hand\nnet.ipv4.tcp_retries2 = 12\nkernel.panic = 3\n");
    assert_eq!(value("ip_local_port_range"), "32768 60999");
}

#[test]
fn a_file_with_nothing_else_in_it_is_removed_again() {
    let _namespace = Namespace::enter();
    let folders = Folders::new();
    assert_ends(&folders.tune(&["tcp_rfc1337=1", "--persist", "--yes"]), 0);
    assert!(folders.conf().expect("the file").ends_with("\nnet.ipv4.tcp_rfc1337 = 1\n"));
    assert_ends(&folders.tune(&["--undo"]), 0);
    assert_eq!(folders.conf(), None);
}

#[test]
fn what_somebody_else_changed_since_is_not_taken_back_unless_forced() {
    let namespace = Namespace::enter();
    let folders = Folders::new();
    assert_ends(&folders.tune(&["tcp_fin_timeout=30", "tcp_retries2=10", "--yes"]), 0);
    namespace.set("ipv4/tcp_fin_timeout", "45");
    let refused = folders.tune(&["--undo"]);
    assert_ends(&refused, 1);
    assert!(refused.stdout.contains("somebody else changed it"), "{}", refused.stdout);
    assert_eq!((value("tcp_fin_timeout"), value("tcp_retries2")), ("45".into(), "10".into()));
    assert!(folders.is_recorded());
    assert_ends(&folders.tune(&["--undo", "--force"]), 0);
    assert_eq!((value("tcp_fin_timeout"), value("tcp_retries2")), ("60".into(), "15".into()));
}

#[test]
fn a_line_that_somebody_else_changed_since_is_not_taken_out_unless_forced() {
    let _namespace = Namespace::enter();
    let folders = Folders::new();
    assert_ends(&folders.tune(&["tcp_fin_timeout=30", "--persist", "--yes"]), 0);
    let file = folders.config().join("90-lastack.conf");
    fs::write(&file, "net.ipv4.tcp_fin_timeout = 25\n").expect("a file");
    let refused = folders.tune(&["--undo"]);
    assert_ends(&refused, 1);
    assert!(refused.stdout.contains("is set to 25 in"), "{}", refused.stdout);
    assert_eq!(value("tcp_fin_timeout"), "30");
    assert_ends(&folders.tune(&["--undo", "--force"]), 0);
    assert_eq!((value("tcp_fin_timeout"), folders.conf()), ("60".into(), None));
}

#[test]
fn a_change_of_another_namespace_is_not_taken_back_here() {
    let folders = Folders::new();
    let _there = Namespace::enter();
    assert_ends(&folders.tune(&["tcp_fin_timeout=30", "--yes"]), 0);
    let _here = Namespace::enter();
    let asked = folders.tune(&["--undo"]);
    assert_ends(&asked, 1);
    assert!(asked.stdout.contains("1 recorded for other network namespaces"), "{}", asked.stdout);
    assert!(folders.is_recorded());
}

#[test]
fn the_range_and_the_first_unprivileged_port_are_moved_together_both_ways() {
    let _namespace = Namespace::enter();
    let folders = Folders::new();
    for (start, range) in [("80", "100 60999"), ("40000", "50000 60999")] {
        let arguments = [
            &format!("ip_unprivileged_port_start={start}")[..],
            &format!("ip_local_port_range={range}"),
            "--yes",
        ];
        assert_ends(&folders.tune(&arguments), 0);
        assert_eq!(value("ip_local_port_range"), range);
        assert_eq!(value("ip_unprivileged_port_start"), start);
    }
    assert_ends(&folders.tune(&["--undo"]), 0);
    assert_ends(&folders.tune(&["--undo"]), 0);
    assert_eq!(value("ip_local_port_range"), "32768 60999");
    assert_eq!(value("ip_unprivileged_port_start"), "1024");
}

#[test]
fn a_list_of_ports_is_set_and_cleared() {
    let _namespace = Namespace::enter();
    let folders = Folders::new();
    assert_ends(&folders.tune(&["ip_local_reserved_ports=40001,40000,41000-41010", "--yes"]), 0);
    assert_eq!(value("ip_local_reserved_ports"), "40000-40001,41000-41010");
    assert_ends(&folders.tune(&["ip_local_reserved_ports=", "--yes"]), 0);
    assert_eq!(value("ip_local_reserved_ports"), "");
}

#[test]
fn json_says_what_was_done_and_never_asks() {
    let _namespace = Namespace::enter();
    let folders = Folders::new();
    let asked = folders.tune(&["tcp_fin_timeout=30", "--json"]);
    assert_ends(&asked, 1);
    assert_eq!(asked.json()["outcome"]["done"], "unconfirmed");
    let done = folders.tune(&["tcp_fin_timeout=30", "--json", "--yes"]).json();
    assert_eq!((&done["outcome"]["done"], &done["exit"]), (&"applied".into(), &0.into()));
    assert_eq!(done["changes"][0]["wanted"], "30");
    let undone = folders.tune(&["--undo", "--json"]).json();
    assert_eq!(undone["outcome"]["done"], "undone");
}
