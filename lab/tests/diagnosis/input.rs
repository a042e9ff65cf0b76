//! What goes in and what comes out: bad input, pipes, width, saved facts.

use crate::answer::{LOCAL, fresh_port, request, why};
use lastack_lab::link::ip;
use lastack_lab::namespace::Namespace;
use lastack_lab::paper::assert_clean;
use lastack_lab::program::{self, Run, User, lastack, lastack_as, run};
use lastack_lab::states;
use serde_json::Value;
use std::io::pipe;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Checks that bad input is one line on standard error, names the object, and says nothing on standard output.
fn assert_refused(arguments: &[&str], object: &str) {
    let Run { stdout, stderr, code } = lastack(arguments);
    assert_eq!((code, stdout.as_str()), (Some(2), ""), "{arguments:?}: {stderr}");
    assert!(stderr.starts_with("lastack: "), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "one line: {stderr}");
    assert!(stderr.contains(object), "{object:?} is not named: {stderr}");
    assert!(!stderr.contains('\x1b') && !stderr.contains("panicked"), "{stderr}");
}

/// A file in a directory of the test's own, removed with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let directory = format!("lastack-{}-{}", std::process::id(), fresh_port());
        let directory = std::env::temp_dir().join(directory);
        std::fs::create_dir(&directory).expect("a directory");
        Self(directory.join(name))
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("a path in UTF-8")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let directory = self.0.parent().expect("a directory");
        std::fs::remove_dir_all(directory).expect("the directory can be removed");
    }
}

#[test]
fn an_address_that_is_none_is_named_on_one_line() {
    Namespace::enter();
    for (address, object) in [
        ("no-such-service", "no-such-service"),
        ("0", "port 0"),
        ("70000", "70000"),
        ("99999999999999999999", "99999999999999999999"),
        ("-1", "-1"),
        ("127.0.0.1", "127.0.0.1"),
        ("::1:8080", "brackets"),
        ("[::1", "[::1"),
        ("[::1]", "[::1]"),
        ("[::1]8080", "[::1]8080"),
        ("[127.0.0.1:80", "[127.0.0.1:80"),
        ("sctp/80", "sctp"),
        ("127.0.0.1:", "127.0.0.1:"),
        ("[fe80::1%nowhere0]:80", "nowhere0"),
        ("host.invalid:80", "host.invalid"),
        ("", "port is missing"),
    ] {
        let arguments: &[&str] = &["why", "--", address];
        assert_refused(arguments, object);
    }
}

#[test]
fn options_that_name_nothing_are_named_on_one_line() {
    Namespace::enter();
    assert_refused(&["why", "8080", "--device", "nowhere0"], "nowhere0");
    assert_refused(&["why", "8080", "--uid", "no-such-user"], "no-such-user");
    assert_refused(&["why", "8080", "--netns", "no-such-namespace"], "no-such-namespace");
    assert_refused(&["why", "8080", "--pid", "4194305"], "4194305");
    assert_refused(&["why", "udp/8080", "--like", "node"], "--like");
    assert_refused(&["why", "--connect", "8080"], "8080");
    assert_refused(&["why", "--connect", "udp/127.0.0.1:53"], "udp/127.0.0.1:53");
    assert_refused(&["why", "--connect", "[::1]:80", "--from", "nonsense"], "nonsense");
}

#[test]
fn files_that_hold_no_facts_are_named_on_one_line() {
    Namespace::enter();
    assert_refused(&["why", "--facts", "/nowhere/facts.json"], "/nowhere/facts.json");
    assert_refused(&["why", "--facts", "/proc/self"], "/proc/self");
    for content in ["", "garbage", "{}", "[1, 2]", "{\"schema\": \"lastack.facts/1\"}", "\u{0}"] {
        let file = Scratch::new("facts.json");
        std::fs::write(&file.0, content).expect("a file");
        assert_refused(&["why", "--facts", file.path()], file.path());
    }
    let unwritable = &["why", "8080", "--save-facts", "/nowhere/facts.json"];
    assert_refused(unwritable, "/nowhere/facts.json");
}

#[test]
fn facts_of_another_version_are_refused_by_name() {
    Namespace::enter();
    let file = Scratch::new("facts.json");
    assert_eq!(lastack(&["why", "8080", "--save-facts", file.path()]).code, Some(0));
    let text = std::fs::read_to_string(&file.0).expect("the facts");
    let newer = text.replace("lastack.facts/1", "lastack.facts/999");
    assert_ne!(newer, text, "the version is in the file");
    std::fs::write(&file.0, newer).expect("a file");
    assert_refused(&["why", "--facts", file.path()], "lastack.facts/999");
}

#[test]
fn facts_that_only_root_may_read_are_refused_to_others_by_name() {
    use std::os::unix::fs::PermissionsExt;
    Namespace::enter();
    let file = Scratch::new("facts.json");
    assert_eq!(lastack(&["why", "8080", "--save-facts", file.path()]).code, Some(0));
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(&file.0, mode).expect("the mode can be set");
    let refused = lastack_as(User::Nobody, &["why", "--facts", file.path()]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains(file.path()), "{}", refused.stderr);
}

#[test]
fn saved_facts_give_the_same_answer_and_hold_no_command_line() {
    Namespace::enter();
    let port = fresh_port();
    let secret = "0.314159265";
    let socket = states::listening(&request(LOCAL, port));
    let mut command = Command::new("sleep");
    command.args(["1000", secret]).stdin(socket);
    let holder = program::Process::start(&mut command);
    drop(command);
    let place = format!("127.0.0.1:{port}");
    let file = Scratch::new("facts.json");
    let live = lastack(&["why", &place, "--json", "--save-facts", file.path()]);
    let text = std::fs::read_to_string(&file.0).expect("the facts");
    assert!(!text.contains(secret), "{text}");
    assert!(live.stdout.contains(secret), "which the live answer does show: {}", live.stdout);
    drop(holder);
    Namespace::enter();
    for user in [User::Root, User::Nobody] {
        let saved = lastack_as(user, &["why", "--json", "--facts", file.path()]);
        assert_eq!((saved.code, saved.stderr.as_str()), (live.code, ""));
        let (live, saved) = (live.json(), saved.json());
        assert_eq!(essence(&saved), essence(&live));
    }
    let file = Scratch::new("facts.json");
    let listener = states::listening(&request(LOCAL, port));
    lastack(&["why", &place, "--save-facts", file.path(), "--with-commands"]);
    drop(listener);
    let text = std::fs::read_to_string(&file.0).expect("the facts");
    assert!(text.contains("diagnosis"), "kept when asked to: {text}");
}

/// Verdict, judgements, remedies, and the conflicts without what is left out of saved facts.
fn essence(answer: &Value) -> Value {
    let mut essence = answer.clone();
    for conflict in essence["conflicts"].as_array_mut().expect("conflicts") {
        for holder in conflict["holders"].as_array_mut().expect("holders") {
            let process = holder["process"].as_object_mut().expect("a process");
            process.remove("command");
            process.remove("directory");
        }
    }
    essence
}

#[test]
fn a_saved_time_wait_is_answered_as_it_was() {
    Namespace::enter();
    let port = fresh_port();
    let listener = states::listening(&request(LOCAL, port));
    let pair = states::established(&listener, SocketAddr::from((LOCAL, port)));
    drop(listener);
    states::time_wait(pair);
    let file = Scratch::new("facts.json");
    let live =
        lastack(&["why", &format!("127.0.0.1:{port}"), "--json", "--save-facts", file.path()]);
    Namespace::enter();
    let saved = lastack(&["why", "--json", "--facts", file.path()]);
    assert_eq!(essence(&saved.json()), essence(&live.json()));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    Namespace::enter();
    let port = fresh_port();
    let _listener = states::listening(&request(LOCAL, port));
    let port = port.to_string();
    for arguments in [&["why", &port][..], &["why", "--json", &port], &[], &["--help"]] {
        let (reader, writer) = pipe().expect("a pipe");
        drop(reader);
        let mut command = Command::new(program::path());
        command.args(arguments).stdout(writer).stderr(Stdio::piped());
        let ended = program::undisturbed(|| {
            command.spawn().expect("lastack starts").wait_with_output().expect("lastack ends")
        });
        let stderr = String::from_utf8(ended.stderr).expect("text");
        assert_eq!(stderr, "", "{arguments:?}");
        assert!(
            ended.status.code().is_some_and(|code| code != 2),
            "{arguments:?}: {:?}",
            ended.status
        );
    }
}

#[test]
fn colour_is_for_terminals_unless_asked_for() {
    Namespace::enter();
    let plain = lastack(&["why", "8080"]);
    assert!(!plain.stdout.contains('\x1b'));
    let forced = lastack(&["why", "8080", "--color", "always"]);
    assert!(forced.stdout.contains('\x1b'), "{:?}", forced.stdout);
    let never = run(Command::new(program::path()).args(["why", "8080", "--color", "never"]));
    assert_eq!(never.stdout, plain.stdout);
    let json = lastack(&["why", "8080", "--json", "--color", "always"]);
    assert!(!json.stdout.contains('\x1b'), "JSON has no colour: {:?}", json.stdout);
}

#[test]
fn long_addresses_do_not_break_the_width() {
    Namespace::enter();
    let long: Ipv6Addr = "2001:db8:1111:2222:3333:4444:5555:6666".parse().expect("an address");
    ip(&format!("address add {long}/128 dev lo nodad"));
    let port = fresh_port();
    let listener = states::listening(&request(long, port));
    let to = SocketAddr::from((long, port));
    let pairs: Vec<_> = (0..3)
        .map(|_| {
            let peer = states::bound(&request(long, 0));
            lastack_lab::sockets::connect(&peer, to).expect("a connection");
            peer
        })
        .collect();
    let answer = why(&[&format!("[{long}]:{port}")]);
    assert_eq!(answer.verdict(), ("in_use", 1));
    drop(listener);
    drop(pairs);
    let overview = lastack(&[]);
    assert_clean(&overview.stdout);
}

#[test]
fn help_and_version_are_answers() {
    for arguments in [&["--help"][..], &["why", "--help"], &["-h"], &["--version"]] {
        let answer = lastack(arguments);
        assert_eq!((answer.code, answer.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(answer.stdout.contains("lastack"), "{}", answer.stdout);
    }
    let unknown = lastack(&["--no-such-flag"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (Some(2), ""));
    assert!(unknown.stderr.contains("--no-such-flag"), "{}", unknown.stderr);
}

#[test]
fn of_several_addresses_the_worst_decides() {
    Namespace::enter();
    let port = fresh_port();
    let _listener = states::listening(&request(LOCAL, port));
    let (taken, free) = (format!("127.0.0.1:{port}"), format!("[::1]:{port}"));
    let answer = lastack(&["why", "--json", &free, &taken]);
    assert_eq!(answer.code, Some(1));
    let verdicts: Vec<Value> = answer
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("an object a line"))
        .map(|object| object["verdict"].clone())
        .collect();
    assert_eq!(verdicts, ["free", "in_use"]);
    assert_refused(&["why", &free, "70000"], "70000");
}
