use super::*;
use rustix::process::{WaitId, WaitIdOptions, waitid};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// A child that says a word when it is ready to be signalled.
struct Sleeper(Child);

impl Sleeper {
    fn start(script: &str) -> Self {
        Self::ready(Command::new("sh").arg("-c").arg(script))
    }

    fn ready(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it runs");
        let mut word = String::new();
        let output = child.stdout.take().expect("its output");
        BufReader::new(output).read_line(&mut word).expect("a word");
        assert_eq!(word.trim(), "ready");
        Self(child)
    }

    fn patient() -> Self {
        Self::start("echo ready; exec sleep 60")
    }

    fn deaf() -> Self {
        Self::start("trap '' TERM; echo ready; exec sleep 60")
    }

    fn process(&self) -> Process {
        process::describe(Pid(self.0.id())).expect("its description")
    }

    fn signal(&self, name: &str) {
        let pid = self.0.id().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status().expect("kill runs");
        assert!(status.success());
    }

    fn runs(&mut self) -> bool {
        self.0.try_wait().expect("asked").is_none()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn plain(processes: Vec<Process>) -> Stop {
    Stop { means: Means::Terminate, processes, also: Vec::new() }
}

fn terms(grace_ms: u64, kill: Kill) -> Terms {
    Terms { grace: Duration::from_millis(grace_ms), kill, named: Vec::new() }
}

const LONG: u64 = 20_000;
const NOBODY: u32 = 65534;

#[test]
fn all_holders_end_and_a_bystander_does_not() {
    let (mut one, mut two, mut bystander) =
        (Sleeper::patient(), Sleeper::patient(), Sleeper::patient());
    let outcome = stop(&plain(vec![one.process(), two.process()]), &terms(LONG, Kill::Never));
    assert!(matches!(outcome, Ok(Stopped::Ended { .. })), "{outcome:?}");
    assert!(!one.runs() && !two.runs() && bystander.runs());
}

#[test]
fn one_that_ignores_the_signal_is_named_with_the_reason_and_killed_only_if_allowed() {
    let mut deaf = Sleeper::deaf();
    let stop_it = plain(vec![deaf.process()]);
    let outcome = stop(&stop_it, &terms(50, Kill::Never)).expect("asked");
    let Stopped::StillRuns(survivors) = outcome else { panic!("{outcome:?}") };
    assert_eq!(survivors[0].resistance, Resistance::Ignores);
    assert!(deaf.runs());
    let outcome = stop(&stop_it, &terms(50, Kill::AfterGrace)).expect("asked");
    assert!(matches!(outcome, Stopped::Killed { after_ms: 50.. }), "{outcome:?}");
    assert!(!deaf.runs());
}

#[test]
fn a_stopped_process_keeps_the_signal_pending_and_can_be_killed() {
    let mut stopped = Sleeper::patient();
    stopped.signal("STOP");
    // Until it has stopped, SIGTERM ends it at once (`wants_signal`).
    let pid = rustix::process::Pid::from_child(&stopped.0);
    waitid(WaitId::Pid(pid), WaitIdOptions::STOPPED).expect("it stops");
    let stop_it = plain(vec![stopped.process()]);
    let outcome = stop(&stop_it, &terms(50, Kill::Never)).expect("asked");
    let Stopped::StillRuns(survivors) = outcome else { panic!("{outcome:?}") };
    assert_eq!(survivors[0].resistance, Resistance::IsStopped);
    let outcome = stop(&stop_it, &terms(50, Kill::AfterGrace)).expect("asked");
    assert!(matches!(outcome, Stopped::Killed { .. }), "{outcome:?}");
    assert!(!stopped.runs());
}

#[test]
fn what_ended_in_between_is_no_error_also_as_a_zombie() {
    let sleeper = Sleeper::patient();
    let process = sleeper.process();
    sleeper.signal("KILL");
    let held = Handle::by_pid(process.pid).expect("held").expect("not reaped");
    assert_eq!(held.wait(Duration::from_secs(10)), Ended::Yes);
    let stop_it = plain(vec![process]);
    assert_eq!(stop(&stop_it, &terms(LONG, Kill::AfterGrace)).expect("asked"), Stopped::GoneBefore);
    drop(sleeper);
    assert_eq!(stop(&stop_it, &terms(LONG, Kill::AfterGrace)).expect("asked"), Stopped::GoneBefore);
}

#[test]
fn a_pid_that_somebody_else_has_by_now_is_left_alone() {
    let mut innocent = Sleeper::patient();
    let process = innocent.process();
    let earlier = Process { start_ticks: process.start_ticks - 1, ..process };
    let outcome = stop(&plain(vec![earlier]), &terms(LONG, Kill::AfterGrace)).expect("asked");
    assert_eq!(outcome, Stopped::GoneBefore);
    assert!(innocent.runs());
}

#[test]
fn the_first_process_and_our_own_are_refused_and_nothing_else_is_signalled() {
    let mut sleeper = Sleeper::patient();
    let init = process::describe(Pid(1)).expect("pid 1");
    let own = process::describe(Pid(std::process::id())).expect("this process");
    let parent = process::describe(own.ancestors[0].pid).expect("the parent");
    for forbidden in [init, own, parent] {
        let stop_it = plain(vec![sleeper.process(), forbidden]);
        let error = stop(&stop_it, &terms(0, Kill::AfterGrace)).expect_err("refused");
        assert!(error.to_string().contains("name pid"), "{error}");
        assert!(sleeper.runs());
    }
}

#[test]
fn if_one_of_them_may_not_be_signalled_none_is() {
    let mut theirs = Sleeper::patient();
    let mut command = Command::new("sh");
    command.args(["-c", "echo ready; exec sleep 60"]).uid(NOBODY).gid(NOBODY);
    let mut own = Sleeper::ready(&mut command);
    let stop_it = plain(vec![own.process(), theirs.process()]);
    let error = std::thread::scope(|scope| {
        let nobody = scope.spawn(|| {
            crate::sys::set_thread_user(NOBODY, NOBODY).expect("another user: run as root");
            stop(&stop_it, &terms(LONG, Kill::AfterGrace)).expect_err("refused").to_string()
        });
        nobody.join().expect("the thread ends")
    });
    let name = format!(" (pid {}): ", theirs.0.id());
    assert!(error.contains(&name) && error.contains("CAP_KILL"), "{error}");
    assert!(own.runs() && theirs.runs());
}

#[test]
fn the_first_process_of_a_namespace_below_drops_the_signal_and_can_be_killed() {
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child", "sh", "-c", "echo ready; exec sleep 60"]);
    let outer = Sleeper::ready(&mut command);
    let children = format!("/proc/{0}/task/{0}/children", outer.0.id());
    let inner = std::fs::read_to_string(children).expect("its children");
    let inner = process::describe(Pid(inner.trim().parse().expect("a pid"))).expect("the inner");
    let stop_it = plain(vec![inner]);
    let outcome = stop(&stop_it, &terms(50, Kill::Never)).expect("asked");
    let Stopped::StillRuns(survivors) = outcome else { panic!("{outcome:?}") };
    assert_eq!(survivors[0].resistance, Resistance::FirstOfItsNamespace);
    let outcome = stop(&stop_it, &terms(50, Kill::AfterGrace)).expect("asked");
    assert!(matches!(outcome, Stopped::Killed { .. }), "{outcome:?}");
}

#[test]
fn a_command_that_fails_is_quoted_and_one_that_hangs_is_ended() {
    let mut sleeper = Sleeper::patient();
    let missing = Means::Runit("/nonexistent/service".into());
    let with = |means| Stop { means, processes: vec![sleeper.process()], also: Vec::new() };
    let error = stop(&with(missing), &terms(100, Kill::Never)).expect_err("refused");
    assert!(error.to_string().starts_with("run sv stop /nonexistent/service: "), "{error}");
    assert!(sleeper.runs());
    let hangs = lastack_model::stop::Invocation {
        arguments: vec!["sleep".into(), "60".into()],
        environment: Vec::new(),
        user: None,
    };
    let ran = command::output(&hangs, Instant::now() + Duration::from_millis(50)).expect("run");
    assert!(ran.status.is_none());
}

#[test]
fn a_watcher_is_ended_before_what_it_would_start_again() {
    let script = "sh -c 'while :; do sleep 60 & echo $!; wait $!; done'";
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).stdout(Stdio::piped());
    let mut watcher = Sleeper(command.spawn().expect("sh runs"));
    let output = watcher.0.stdout.take().expect("its output");
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).expect("the child's pid");
    let child = process::describe(Pid(line.trim().parse().expect("a pid"))).expect("the child");
    let above = child.ancestors[0].clone();
    let means = Means::Watcher { pid: above.pid, name: above.name };
    let stop_it = Stop { means, processes: vec![child], also: Vec::new() };
    let outcome = stop(&stop_it, &terms(1000, Kill::Never)).expect("asked");
    assert!(matches!(outcome, Stopped::Ended { .. }), "{outcome:?}");
}
