//! What stops the clients there are: this host's reserved ports where they close first, and the server's, which every
//! command with a standard error of its own costs one for a minute, whoever closes first.

use lastack_lab::naive::{self, Failure, Search};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::Process;
use lastack_lab::rshd::{Rshd, TimeWaits};
use lastack_lab::states::wait_until;
use lastack_lab::stock::{Client, Tally};
use rustix::io::Errno;
use std::process::Stdio;
use std::time::Duration;

/// More than a minute, and a run that is not over by then shows nothing: the first ports would have come back.
const LIMIT: Duration = Duration::from_secs(120);
/// More than there are ports, and than fit in the queue beside them.
const COMMANDS: u32 = 600;
const AT_ONCE: u32 = 16;

/// Where the server is faster than `rsh`, it closes first all the same, and the command costs no port.
const COMMANDS_OF_WHICH_SOME_COST_NOTHING: u32 = 1500;

fn run(client: Client, rshd: &Rshd) -> Tally {
    run_all(client, rshd, COMMANDS)
}

fn run_all(client: Client, rshd: &Rshd, commands: u32) -> Tally {
    let tally = client.run(rshd, commands, AT_ONCE, LIMIT);
    assert_eq!(tally.succeeded + tally.failed, commands as usize, "{tally:?}");
    tally
}

#[test]
fn rsh_whose_input_is_at_an_end_closes_first_and_spends_the_ports_of_this_host() {
    let here = Namespace::enter();
    let rshd = Rshd::started(&here, 8, 1);
    let tally = run_all(Client::Rsh, &rshd, COMMANDS_OF_WHICH_SOME_COST_NOTHING);
    assert!(tally.complained("All ports in use") > 0, "{tally:?}");
    // Each has two in its hands at the end. Whoever gets the first of them alone fails, and has spent it all the same.
    let all_but_those_in_hand = 512 - 2 * AT_ONCE as usize..=512;
    let waiting = TimeWaits::here();
    assert!(all_but_those_in_hand.contains(&waiting.commands), "{waiting:?}");
    assert!(tally.succeeded >= *all_but_those_in_hand.start(), "{tally:?}");
}

#[test]
fn rsh_n_leaves_the_first_fin_to_the_servers_and_keeps_its_ports() {
    let here = Namespace::enter();
    let rshd = Rshd::started(&here, 8, 1);
    let tally = run(Client::RshN, &rshd);
    assert_eq!(tally.failed, 0, "{tally:?}");
    assert_eq!(TimeWaits::here(), TimeWaits::default());
    let errors: usize = (1..=8).map(|server| rshd.time_waits(server).errors).sum();
    assert_eq!(errors, COMMANDS as usize, "each costs a port of a server");
}

#[test]
fn rsh_n_to_one_server_spends_the_ports_of_the_server() {
    let here = Namespace::enter();
    let rshd = Rshd::started(&here, 1, 1);
    assert_the_server_runs_out(&run(Client::RshN, &rshd), &rshd);
}

#[test]
fn pdsh_to_one_server_spends_the_ports_of_the_server() {
    let here = Namespace::enter();
    let rshd = Rshd::started(&here, 1, 1);
    assert_the_server_runs_out(&run(Client::Pdsh, &rshd), &rshd);
}

/// 512 ports, of which `inetd` holds three.
fn assert_the_server_runs_out(tally: &Tally, rshd: &Rshd) {
    assert!((505..=512).contains(&tally.succeeded), "{tally:?}");
    assert!(tally.complained("protocol failure in circuit setup") > 0, "{tally:?}");
    let waiting = rshd.time_waits(1);
    assert!((500..=509).contains(&waiting.errors), "{waiting:?}");
    assert_eq!(TimeWaits::here(), TimeWaits::default(), "none of the client's");
}

#[test]
fn rsh_with_its_input_open_waits_with_the_command_and_closing_the_input_costs_a_port() {
    let here = Namespace::enter();
    let rshd = Rshd::started(&here, 1, 1);
    let mut command = rshd.command("netkit-rsh");
    let mut client = Process::start(command.args(["node1", "cat"]).stdin(Stdio::piped()));
    wait_until("the command waits for input", || {
        rshd.residents(1).iter().any(|it| it.command == "cat" && sleeps(it.pid))
    });
    assert!(matches!(client.child().try_wait(), Ok(None)), "nobody ends it");
    assert_eq!(TimeWaits::here(), TimeWaits::default());
    drop(client.child().stdin.take());
    assert!(client.child().wait().expect("an end").success());
    wait_until("it closed first", || TimeWaits::here().commands == 1);
}

fn sleeps(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.contains(") S ")
}

#[test]
fn a_search_that_reuses_addresses_finds_the_same_port_again_and_fails_in_connect() {
    let here = Namespace::enter();
    let rshd = Rshd::started(&here, 2, 1);
    rshd.without_timestamps(&here);
    let ask = |server| naive::run(Rshd::address(server, 0), "echo ok", Search::Reusing);
    for server in [1, 2] {
        let answer = ask(server).expect("the first one toward each server");
        assert_eq!((answer.port, &*answer.output), (512, "ok\n"));
        assert_eq!(ask(server), Err(Failure::Connect(512, Errno::ADDRNOTAVAIL)));
    }
}

#[test]
fn a_search_that_does_not_goes_on_to_the_next_port() {
    let here = Namespace::enter();
    let rshd = Rshd::started(&here, 1, 1);
    rshd.without_timestamps(&here);
    for expected in 512..532 {
        let answer = naive::run(Rshd::address(1, 0), "echo ok", Search::Plain).expect("an answer");
        assert_eq!((answer.port, &*answer.output), (expected, "ok\n"));
    }
    assert_eq!(TimeWaits::here(), TimeWaits { commands: 20, errors: 0 });
}

#[test]
fn with_timestamps_the_same_port_serves_again_and_again() {
    let here = Namespace::enter();
    let _rshd = Rshd::started(&here, 1, 1);
    for _ in 0..20 {
        let answer =
            naive::run(Rshd::address(1, 0), "echo ok", Search::Reusing).expect("an answer");
        assert_eq!((answer.port, &*answer.output), (512, "ok\n"));
    }
}
