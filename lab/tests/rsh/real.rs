//! What the real servers answer to real clients, so that whatever else is tested against them stands on firm ground.

use lastack_lab::namespace::Namespace;
use lastack_lab::program::{Process, run};
use lastack_lab::rshd::{Rshd, TimeWaits};
use lastack_lab::states::wait_until;

fn rsh(rshd: &Rshd, arguments: &[&str]) -> lastack_lab::program::Run {
    run(rshd.command("netkit-rsh").args(arguments))
}

#[test]
fn root_and_the_tester_are_let_in_by_name_and_address() {
    let here = Namespace::enter();
    let rshd = Rshd::started(&here, 2, 1);
    let root = rsh(&rshd, &["-n", "node2", "echo out; echo err >&2; id -un"]);
    assert_eq!((&*root.stdout, &*root.stderr), ("out\nroot\n", "err\n"));
    let tester = rsh(&rshd, &["-n", "-l", "tester", "10.99.0.2", "id -un"]);
    assert_eq!((&*tester.stdout, &*tester.stderr), ("tester\n", ""));
    let over_6 = rsh(&rshd, &["-n", "node1-6", "id -un"]);
    assert_eq!((&*over_6.stdout, &*over_6.stderr), ("root\n", ""));
}

#[test]
fn whom_the_server_does_not_trust_is_refused() {
    let here = Namespace::enter();
    let rshd = Rshd::started(&here, 1, 1);
    rshd.etc().write("home/root/.rhosts", "");
    let refused = rsh(&rshd, &["-n", "node1", "id -un"]);
    assert_eq!(refused.stdout, "", "{refused:?}");
    assert!(refused.stderr.contains("denied"), "{refused:?}");
    assert_eq!(refused.code, Some(1), "{refused:?}");
}

#[test]
fn a_server_with_two_addresses_is_reached_by_either() {
    let here = Namespace::enter();
    let rshd = Rshd::started(&here, 1, 2);
    for name in ["node1", "node1-address1", "all7"] {
        let run = rsh(&rshd, &["-n", name, "echo here"]);
        assert_eq!((&*run.stdout, &*run.stderr), ("here\n", ""), "{name}");
    }
}

#[test]
fn what_runs_there_is_seen_and_ends_with_the_server() {
    let here = Namespace::enter();
    let rshd = Rshd::started(&here, 1, 1);
    let mut command = rshd.command("netkit-rsh");
    let client = Process::start(command.args(["-n", "node1", "exec sleep 1000"]));
    let sleeps = || rshd.residents(1).into_iter().find(|it| it.command == "sleep 1000");
    wait_until("it sleeps there", || sleeps().is_some());
    let pid = sleeps().expect("it sleeps").pid;
    drop(rshd);
    wait_until("it has ended", || !std::path::Path::new(&format!("/proc/{pid}")).exists());
    drop(client);
}

#[test]
fn the_server_closes_the_standard_error_first_and_keeps_its_port() {
    let here = Namespace::enter();
    let rshd = Rshd::started(&here, 1, 1);
    for _ in 0..3 {
        assert_eq!(rsh(&rshd, &["-n", "node1", "true"]).code, Some(0));
    }
    // Every command comes from port 1023, which netkit's -n leaves free: the server closes first.
    let expected = TimeWaits { commands: 1, errors: 3 };
    wait_until("the server's three ports wait", || rshd.time_waits(1) == expected);
    assert_eq!(TimeWaits::here(), TimeWaits::default());
}
