//! `lastack rsh --via rsh` against the real servers, as its users run it.

use lastack_lab::namespace::Namespace;
use lastack_lab::program::{Process, Run, path, run, run_beside_others};
use lastack_lab::rshd::Rshd;
use lastack_lab::states::wait_until;
use rustix::process::Signal;
use std::io::Read as _;
use std::net::{TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

const WARNING: &str = "lastack: rsh is clear text and trusts addresses:";
/// A run that goes on for longer never ends.
const A_LONG_TIME: Duration = Duration::from_secs(120);

fn rsh(rshd: &Rshd, arguments: &[&str]) -> Run {
    run_beside_others(rshd.command(path()).args(["rsh", "--via", "rsh"]).args(arguments))
}

/// The lines, in an order that does not depend on who was first.
fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn statuses_and_streams_come_back_and_the_warning_comes_once() {
    let rshd = Rshd::started(&Namespace::enter(), 2, 1);
    let run = rsh(&rshd, &["-w", "node[1-2]", "--exit", "worst", "echo out; echo err >&2; exit 7"]);
    assert_eq!((run.code, sorted(&run.stdout)), (Some(7), vec!["node1: out", "node2: out"]));
    assert!(run.stderr.contains("node1: err\n") && run.stderr.contains("node2: err\n"), "{run:?}");
    assert_eq!(run.stderr.matches(WARNING).count(), 1, "{}", run.stderr);
    assert!(run.stderr.lines().all(|line| line.chars().count() <= 80), "{}", run.stderr);
    let good = rsh(&rshd, &["-w", "node[1-2]", "-l", "tester", "id -un"]);
    assert_eq!(
        (good.code, sorted(&good.stdout)),
        (Some(0), vec!["node1: tester", "node2: tester"])
    );
}

#[test]
fn every_way_for_the_standard_error_is_had() {
    let rshd = Rshd::started(&Namespace::enter(), 1, 1);
    for (how, out, err) in [
        ("acknowledged", &["node1: out"][..], true),
        ("early", &["node1: out"], true),
        ("merged", &["node1: err", "node1: out"], false),
    ] {
        let run = rsh(&rshd, &["-w", "node1", "--stderr", how, "echo out; echo err >&2"]);
        assert_eq!((run.code, sorted(&run.stdout)), (Some(0), out.to_vec()), "{how}: {run:?}");
        assert_eq!(run.stderr.contains("node1: err"), err, "{how}: {}", run.stderr);
    }
}

#[test]
fn a_resolver_that_does_not_answer_holds_nothing_up() {
    let rshd = Rshd::started(&Namespace::enter(), 1, 1);
    rshd.etc().write("etc/nsswitch.conf", "passwd: files\nhosts: files dns\n");
    rshd.etc().write("etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:20 attempts:2\n");
    let resolver = UdpSocket::bind("127.0.0.1:53").expect("a silent resolver");
    let began = Instant::now();
    let run =
        rsh(&rshd, &["-w", "node1,elsewhere", "--timeout", "1s", "--grace", "1s", "echo here"]);
    assert_eq!((run.code, &*run.stdout), (Some(124), "node1: here\n"), "{run:?}");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    resolver.set_nonblocking(true).expect("a mode");
    resolver.recv_from(&mut [0; 512]).expect("it was asked");
}

#[test]
fn what_is_given_to_all_is_read_whoever_closes_first() {
    let rshd = Rshd::started(&Namespace::enter(), 2, 1);
    let file = rshd.etc().write("home/input", "for all\n");
    let file = file.to_str().expect("text");
    for more in [&[][..], &["--half-close"]] {
        let run = rsh(&rshd, &[&["-w", "node[1-2]", "--stdin", file], more, &["cat"]].concat());
        assert_eq!(sorted(&run.stdout), ["node1: for all", "node2: for all"], "{more:?}: {run:?}");
        assert_eq!(run.code, Some(0));
    }
}

#[test]
fn several_commands_go_over_one_connection_each_with_its_status() {
    let rshd = Rshd::started(&Namespace::enter(), 2, 1);
    let file = rshd.etc().write("home/list", "echo one\nexit 3\necho two\n");
    let list = file.to_str().expect("text");
    let run = rsh(&rshd, &["-w", "node[1-2]", "--commands", list]);
    assert_eq!(run.code, Some(3));
    assert_eq!(sorted(&run.stdout), ["node1: one", "node1: two", "node2: one", "node2: two"]);
    assert!(run.stderr.contains("6 commands: 4 succeeded, 2 failed"), "{}", run.stderr);
    assert_eq!(rshd.time_waits(1).commands, 1, "one connection, and the server closed it");
}

#[test]
fn without_the_right_to_reserved_ports_nothing_is_begun_and_the_way_to_it_is_named() {
    let rshd = Rshd::started(&Namespace::enter(), 1, 1);
    let mut without = rshd.command("setpriv");
    without.args(["--bounding-set=-net_bind_service", "--"]).arg(path());
    let run = run(without.args(["rsh", "--via", "rsh", "-w", "node1", "true"]));
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:?}");
    assert!(run.stderr.to_lowercase().contains("cap_net_bind_service"), "{}", run.stderr);
    assert!(!run.stderr.contains(WARNING), "nothing was begun: {}", run.stderr);
}

/// A run that goes on, and the file that has what it says; its answers are thrown away.
struct Going {
    process: Process,
    said: PathBuf,
}

impl Going {
    fn start(rshd: &Rshd, name: &str, arguments: &[&str]) -> Self {
        let said = rshd.etc().write(&format!("home/{name}"), "");
        let mut command = rshd.command("sh");
        let line = "exec \"$L\" rsh --via rsh --connect-timeout 60s \"$@\" 2>\"$SAID\"";
        command.args(["-c", line, "sh"]).args(arguments).env("L", path()).env("SAID", &said);
        let process = Process::start(command.stdin(Stdio::null()).stdout(Stdio::null()));
        Self { process, said }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.said).unwrap_or_default().replace('\n', " ")
    }

    fn goes_on(&mut self) -> bool {
        matches!(self.process.child().try_wait(), Ok(None))
    }

    fn assert_ends(mut self, code: i32) {
        let limit = Instant::now() + A_LONG_TIME;
        while self.goes_on() {
            assert!(Instant::now() < limit, "it does not end: {}", self.said());
            std::thread::sleep(Duration::from_millis(5));
        }
        let status = self.process.child().wait().expect("its end");
        assert_eq!(status.code(), Some(code), "{}", self.said());
    }
}

#[test]
fn a_second_interrupt_reaches_the_command() {
    let rshd = Rshd::started(&Namespace::enter(), 1, 1);
    let going = Going::start(&rshd, "said", &["-w", "node1", "sleep 4321"]);
    let sleeps = || rshd.residents(1).iter().any(|it| it.command == "sleep 4321");
    wait_until("it sleeps there", sleeps);
    going.process.signal(Signal::INT);
    wait_until("it says who runs", || going.said().contains("running: node1 ("));
    going.process.signal(Signal::INT);
    going.assert_ends(130);
    assert!(!sleeps(), "the command has had the signal");
}

#[test]
fn a_thousand_commands_to_one_server_use_up_no_port() {
    let rshd = Rshd::started(&Namespace::enter(), 1, 1);
    let run = rsh(&rshd, &["-w", "all[1-1000]", "-b", "--connect-timeout", "60s", "echo ok"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stdout.contains("all[1-1000] (1000)"), "{}", run.stdout);
}

#[test]
fn hosts_of_ipv6_are_reached_each_way() {
    let rshd = Rshd::started(&Namespace::enter(), 2, 1);
    for how in ["acknowledged", "early", "merged"] {
        let arguments =
            ["-w", "node1-6,node2-6", "--stderr", how, "echo out; echo err >&2; exit 4"];
        let run = rsh(&rshd, &[&["--exit", "worst"], &arguments[..]].concat());
        assert_eq!(run.code, Some(4), "{how}: {run:?}");
        assert!(run.stdout.contains("node1-6: out\n"), "{how}: {run:?}");
        assert!(run.stdout.contains("node2-6: out\n"), "{how}: {run:?}");
        let beside = if how == "merged" { &run.stdout } else { &run.stderr };
        assert!(beside.contains("node2-6: err\n"), "{how}: {run:?}");
    }
    let literal = format!("[{}]", Rshd::address_6(1));
    let run = rsh(&rshd, &["-w", &literal, "echo ok"]);
    assert!(run.code == Some(0) && run.stdout.ends_with(": ok\n"), "{run:?}");
}

#[test]
fn whoever_waits_for_a_port_is_told_why_while_it_waits() {
    let rshd = Rshd::started(&Namespace::enter(), 1, 1);
    let only_one = ["--stderr", "merged", "--ports", "1000", "-w", "all[1-2]", "sleep 4"];
    let mut going = Going::start(&rshd, "said", &only_one);
    let reason = format!("waiting for a port toward {}:514: 1 port: ", Rshd::address(1, 0));
    wait_until("it says so", || going.said().contains(&reason));
    assert!(going.goes_on(), "it is told before the end");
    going.assert_ends(0);
}

#[test]
fn whoever_waits_for_a_port_to_listen_on_is_told_why_too() {
    let rshd = Rshd::started(&Namespace::enter(), 1, 1);
    // Servers that say nothing: each set-up keeps its listener until the time is over, and at most 64 are had at once.
    let _silent = TcpListener::bind("0.0.0.0:514").expect("a port");
    let hosts = "127.0.1.[1-70]";
    let mut going = Going::start(&rshd, "said", &["--fanout", "70", "-w", hosts, "echo never"]);
    let reason = "waiting for a port to listen on, one of at most 64 at once: ";
    wait_until("it says so", || going.said().contains(reason));
    assert!(going.goes_on(), "it is told before the end");
}

#[test]
fn ports_on_the_hosts_list_are_left_alone_and_a_line_that_is_none_is_told() {
    let rshd = Rshd::started(&Namespace::enter(), 1, 1);
    rshd.etc().write("etc/bindresvport.blacklist", "# kept\n1022\nhttp\n1023\n");
    let last = ["--ports", "1022-1023", "--stderr", "merged", "-w", "node1", "echo ok"];
    let none = rsh(&rshd, &last);
    assert_eq!((none.code, none.stdout.as_str()), (Some(2), ""), "{none:?}");
    assert!(none.stderr.contains("no port is left of 1022-1023"), "{}", none.stderr);
    let other = ["--ports", "1021-1023", "--stderr", "merged", "-w", "node1", "echo ok"];
    let run = rsh(&rshd, &other);
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "node1: ok\n"), "{run:?}");
    let told = run.stderr.replace('\n', " ");
    assert!(told.contains("/etc/bindresvport.blacklist, line 3: \"http\" is no port"), "{told}");
}

#[test]
fn two_runs_at_once_and_one_after_a_kill_never_meet() {
    let rshd = Rshd::started(&Namespace::enter(), 1, 1);
    let beside = Going::start(&rshd, "beside", &["-w", "all[1-800]", "echo ok"]);
    let killed = Going::start(&rshd, "killed", &["-w", "all[1-1000]", "sleep 4321"]);
    let asleep = || rshd.residents(1).iter().filter(|it| it.command == "sleep 4321").count();
    wait_until("its commands sleep there", || asleep() >= 20);
    // By SIGKILL.
    drop(killed);
    let after = Going::start(&rshd, "after", &["-w", "all[1-300]", "echo ok"]);
    after.assert_ends(0);
    beside.assert_ends(0);
}

/// Megabytes (2^20) of memory that a run has had at most, and octets it wrote, while its hosts write without an end and
/// without a line, and nobody reads at first.
fn endless(rshd: &Rshd, more: &[&str]) -> (u64, u64) {
    let mut command = rshd.command(path());
    command.args(["rsh", "--via", "rsh", "-w", "node[1-4]", "--command-timeout", "5s"]).args(more);
    command.arg("yes | tr -d '\\n'").stdin(Stdio::null()).stdout(Stdio::piped());
    let mut going = Process::start(command.stderr(Stdio::null()));
    let mut answers = going.child().stdout.take().expect("its answers");
    std::thread::sleep(Duration::from_secs(2));
    let (mut most, mut read) = (0, 0);
    let mut room = vec![0; 1 << 20];
    loop {
        let status = std::fs::read_to_string(format!("/proc/{}/status", going.pid()));
        let peak = status.ok().and_then(|text| {
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
            line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
        });
        most = most.max(peak.unwrap_or_default() >> 10);
        match answers.read(&mut room).expect("its answers") {
            0 => break,
            octets => read += octets as u64,
        }
    }
    assert_eq!(going.child().wait().expect("its end").code(), Some(3), "all ran out of time");
    (most, read)
}

#[test]
fn memory_stays_bounded_however_much_is_written_and_read_or_not() {
    let rshd = Rshd::started(&Namespace::enter(), 4, 1);
    for more in [&[][..], &["-b"], &["--json"]] {
        let (most, read) = endless(&rshd, more);
        assert!(read > 16 << 20, "{more:?}: only {read} octets");
        assert!((1..32).contains(&most), "{more:?}: {most} MiB for {read} octets");
    }
}
