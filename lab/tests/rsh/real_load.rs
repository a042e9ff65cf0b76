//! More commands than there are ports: where every other client stops, ours goes on, and others find what they need
//! afterwards.

use crate::ours::{assert_every_port_is_back, hosts, ours};
use lastack_lab::carried::task;
use lastack_lab::namespace::Namespace;
use lastack_lab::rshd::{Rshd, TimeWaits};
use lastack_lab::stock::{Client, Tally};
use lastack_rsh::rcmd::Errors;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

const AT_ONCE: usize = 32;
/// Where stock clients stop for a minute: 512 ports, of which the server's `inetd` holds three.
const WALL: usize = 509;

fn assert_all_succeed(tally: &Tally, commands: usize) {
    assert_eq!((tally.succeeded, tally.failed), (commands, 0), "{tally:?}");
}

/// 1,200 commands to one server within a minute or not much more, each with a standard error of its own.
fn assert_the_wall_is_passed(errors: Errors) {
    let here = Namespace::enter();
    let rshd = Rshd::started(&here, 1, 1);
    let carriage = ours(errors);
    assert_all_succeed(&carriage.count(&hosts(1), 1200, AT_ONCE), 1200);
    let there = rshd.time_waits(1);
    assert!(there.errors < WALL / 4, "{there:?}");
    assert_every_port_is_back(&carriage, &hosts(1)[0]);
}

#[test]
fn twelve_hundred_commands_with_signals_to_one_server_spend_no_ports_of_it() {
    assert_the_wall_is_passed(Errors::Acknowledged);
}

#[test]
fn twelve_hundred_commands_with_the_early_half_close_to_one_server_spend_no_ports_of_it() {
    assert_the_wall_is_passed(Errors::Early);
}

#[test]
fn without_timestamps_six_hundred_commands_to_one_server_all_succeed() {
    for errors in [Errors::Acknowledged, Errors::Merged] {
        let here = Namespace::enter();
        let rshd = Rshd::started(&here, 1, 1);
        rshd.without_timestamps(&here);
        let carriage = ours(errors);
        assert_all_succeed(&carriage.count(&hosts(1), 600, AT_ONCE), 600);
        assert_eq!(TimeWaits::here().commands, 0, "the server closes first");
        assert_every_port_is_back(&carriage, &hosts(1)[0]);
    }
}

#[test]
fn a_server_that_calls_back_from_another_address_is_heard() {
    let here = Namespace::enter();
    let _rshd = Rshd::started(&here, 1, 2);
    let carriage = ours(Errors::Acknowledged);
    let second = Rshd::address(1, 1).to_string();
    assert_all_succeed(&carriage.count(std::slice::from_ref(&second), 1500, AT_ONCE), 1500);
    assert_every_port_is_back(&carriage, &second);
}

#[test]
fn a_thousand_commands_run_at_the_same_time_on_eight_servers() {
    let here = Namespace::enter();
    let rshd = Rshd::started(&here, 8, 1);
    let gate = rshd.etc().home("root").join("gate");
    let made = Command::new("mkfifo").arg(&gate).status().expect("mkfifo");
    assert!(made.success());
    // Both ends: whoever opens it later still finds a writer.
    let mut opener = OpenOptions::new().read(true).write(true).open(&gate).expect("the gate");
    let carriage = ours(Errors::Acknowledged);
    let command = format!("echo here; read go <{}", gate.display());
    let tasks = (0..1000).map(|n| {
        let mut task = task(&hosts(8)[n % 8], &command);
        task.limits.connect = Duration::from_secs(120);
        task
    });
    let mut present = 0;
    let carried = carriage.all(tasks.collect(), 1000, |piece| {
        present += usize::from(piece.octets.contains(&b'\n'));
        if present == 1000 {
            opener.write_all(&[b'\n'; 1000]).expect("the gate opens");
        }
    });
    let failed: Vec<_> = carried.iter().filter(|it| it.report.result != Ok(0)).collect();
    assert!(failed.is_empty(), "{} of 1000 failed: {:?}", failed.len(), failed[0]);
    for host in hosts(8) {
        assert_every_port_is_back(&carriage, &host);
    }
}

#[test]
fn other_clients_find_their_ports_after_ours() {
    let here = Namespace::enter();
    let rshd = Rshd::started(&here, 2, 1);
    let carriage = ours(Errors::Acknowledged);
    assert_all_succeed(&carriage.count(&hosts(2), 600, AT_ONCE), 600);
    let others = Client::RshN.run(&rshd, 100, 8, Duration::from_secs(60));
    assert_all_succeed(&others, 100);
}
