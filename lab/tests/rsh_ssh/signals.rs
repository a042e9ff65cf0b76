//! Interrupts, ends from outside, and readers that go away: nothing is left behind here, and what is left there is said.

use crate::scene::{Going, Scene};
use lastack_lab::program::run;
use lastack_lab::states::wait_until;
use rustix::process::Signal;
use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A run whose command says that it began, and then waits for a named pipe.
fn waiting(scene: &Scene, word: &str) -> Going {
    let pipe = scene.file("pipe");
    assert_eq!(run(Command::new("mkfifo").arg(&pipe)).code, Some(0));
    let began = scene.file("began");
    let command = format!("touch {}; : {word}; cat {}", began.display(), pipe.display());
    let going = scene.start(&["-w", "node1", "--grace", "1s", &command]);
    wait_until("the command has begun", || began.exists());
    going
}

#[test]
fn one_interrupt_says_who_runs_and_goes_on() {
    let scene = Scene::new();
    let mut going = waiting(&scene, "once");
    going.signal(Signal::INT);
    wait_until("it says who runs", || going.said().contains("1 running"));
    assert!(going.said().contains("running: node1 ("), "{}", going.said());
    drop(File::options().write(true).open(scene.file("pipe")).expect("its end"));
    assert_eq!(going.code(), Some(0), "{}", going.said());
}

#[test]
fn a_second_interrupt_soon_after_stops_what_runs() {
    let scene = Scene::new();
    let mut going = waiting(&scene, "twice");
    going.signal(Signal::INT);
    wait_until("it has heard", || going.said().contains("1 running"));
    going.signal(Signal::INT);
    assert_eq!(going.code(), Some(130), "{}", going.said());
    let text = going.said().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("stopped with signal 2 (the command may still run there)"), "{text}");
    assert_eq!((Scene::clients("twice"), scene.left()), (0, vec![]));
}

#[test]
fn an_end_from_outside_stops_what_runs() {
    let scene = Scene::new();
    let mut going = waiting(&scene, "outside");
    going.signal(Signal::TERM);
    assert_eq!(going.code(), Some(130), "{}", going.said());
    assert_eq!((Scene::clients("outside"), scene.left()), (0, vec![]));
}

#[test]
fn when_it_is_killed_its_ssh_ends_and_the_next_run_tidies_up() {
    let scene = Scene::new();
    let mut going = waiting(&scene, "killed");
    assert_eq!(Scene::clients("killed"), 1);
    going.signal(Signal::KILL);
    assert_eq!(going.code(), None);
    wait_until("no ssh is left", || Scene::clients("killed") == 0);
    assert_eq!(scene.left().len(), 1, "its folder");
    assert_eq!(scene.rsh(&["-w", "node1", "true"]).code, Some(0));
    assert_eq!(scene.left(), Vec::<String>::new());
}

#[test]
fn when_nobody_reads_any_more_it_stops_without_a_word() {
    let scene = Scene::new();
    let said = scene.file("said");
    let script = "$L rsh --grace 1s -w node[1-2] 'yes nobodyreads' 2>\"$SAID\" | head -1";
    let mut command = scene.command("sh");
    command.args(["-c", script]).env("L", lastack_lab::program::path()).env("SAID", &said);
    let run = run(&mut command);
    assert!(run.stdout.ends_with(": nobodyreads\n"), "{}", run.stdout);
    assert_eq!(fs::read_to_string(said).expect("what it said"), "");
    assert_eq!((Scene::clients("nobodyreads"), scene.left()), (0, vec![]));
}

#[test]
fn where_output_cannot_be_written_it_stops_and_says_so() {
    let scene = Scene::new();
    let run = scene.shell("$L rsh --grace 1s -w node1 'yes cannotbewritten' >/dev/full");
    assert_eq!(run.code, Some(3), "{run:?}");
    let said = run.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("failed to write what came back: No space left on device"), "{said}");
    assert!(said.contains("node1 - "), "the table says who has no status: {said}");
    assert_eq!((Scene::clients("cannotbewritten"), scene.left()), (0, vec![]));
}

#[test]
fn a_command_whose_time_is_over_does_not_wait_for_who_reads_nothing() {
    let scene = Scene::new();
    let limits = ["--grace", "1s", "--command-timeout", "1s"];
    let command = ["-w", "node1", "yes nobodytakesit"];
    let mut going = scene.start_to(Stdio::piped(), &[&limits[..], &command].concat());
    wait_until("it has begun", || Scene::clients("nobodytakesit") == 1);
    wait_until("its ssh has ended", || Scene::clients("nobodytakesit") == 0);
    // The grace of who reads.
    sleep(Duration::from_secs(2));
    let length = going.output().len();
    assert_eq!(going.code(), Some(3), "{}", going.said());
    assert!(length < 16 << 20, "{length} octets were kept");
    let said = going.said().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("the last of its output was lost: nobody took it in time"), "{said}");
}

#[test]
fn interrupts_are_heard_while_nobody_reads_its_last_words() {
    let scene = Scene::new();
    let command = "sleep 1; : lastwords; head -c 1000000 /dev/zero | tr '\\0' x";
    let mut going = scene.start_to(Stdio::piped(), &["-b", "-w", "node1", command]);
    wait_until("it has begun", || Scene::clients("lastwords") == 1);
    wait_until("its ssh has ended", || Scene::clients("lastwords") == 0);
    sleep(Duration::from_millis(300));
    let began = Instant::now();
    for _ in 0..3 {
        going.signal(Signal::INT);
        sleep(Duration::from_millis(300));
    }
    assert_eq!(going.code(), Some(130), "{}", going.said());
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn without_any_standard_stream_it_ends_all_the_same() {
    let scene = Scene::new();
    assert_eq!(scene.shell("$L rsh -w node1 'echo x; exit 5' <&- >&- 2>&-").code, Some(3));
}

#[test]
fn what_was_ignored_before_stays_ignored() {
    let scene = Scene::new();
    let began = scene.file("began");
    let pipe = scene.file("pipe");
    assert_eq!(run(Command::new("mkfifo").arg(&pipe)).code, Some(0));
    let command = format!("touch {}; cat {}", began.display(), pipe.display());
    let script = "trap '' INT HUP; exec \"$L\" rsh -w node1 \"$COMMAND\"";
    let mut shell = scene.command("sh");
    shell.args(["-c", script]).env("L", lastack_lab::program::path()).env("COMMAND", &command);
    let mut going = lastack_lab::program::Process::start(&mut shell);
    wait_until("the command has begun", || began.exists());
    for signal in [Signal::INT, Signal::INT, Signal::INT, Signal::HUP] {
        going.signal(signal);
    }
    drop(File::options().write(true).open(pipe).expect("its end"));
    assert_eq!(going.child().wait().expect("its end").code(), Some(0));
}
