//! Leave to act: given by flags, asked for on a terminal, and never assumed.

use crate::bystander::Bystander;
use crate::scene::{
    Attempt, LOCAL, Leave, connection, fresh_port, holder, request, runs, sockets_here, words,
};
use crate::terminal::{Ended, Terminal};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::{self, Process};
use lastack_lab::states;
use std::process::Command;

/// A listener and its program, asked about on a terminal and answered so.
fn answered(answer: &str) -> (Ended, Process) {
    Namespace::enter();
    let port = fresh_port();
    let bystander = Bystander::on(port);
    let server = holder(states::listening(&request(LOCAL, port)));
    let ended = Terminal::session(&[&format!("127.0.0.1:{port}")], |terminal| {
        terminal.is_asked(1);
        terminal.types(answer);
    });
    bystander.assert_unharmed();
    (ended, server)
}

#[test]
fn on_a_terminal_a_yes_is_a_yes() {
    for yes in ["y\n", "YES\n"] {
        let (ended, server) = answered(yes);
        assert_eq!(ended.code, Some(0), "{}", ended.screen);
        assert!(ended.screen.contains("is free to bind"), "{}", ended.screen);
        assert!(!runs(server.pid()));
    }
}

#[test]
fn on_a_terminal_anything_but_a_yes_is_a_no() {
    const END_OF_INPUT: &str = "\x04";
    for no in ["n\n", "\n", "yeah\n", "y y\n", END_OF_INPUT] {
        let (ended, server) = answered(no);
        assert_eq!(ended.code, Some(1), "{no:?}: {}", ended.screen);
        assert!(ended.screen.contains("\nNothing was done."), "{no:?}: {}", ended.screen);
        assert!(runs(server.pid()), "{no:?}");
    }
}

#[test]
fn on_a_terminal_the_plan_and_its_harm_come_before_the_question() {
    let (ended, _server) = answered("n\n");
    let at = |text: &str| ended.screen.find(text).unwrap_or_else(|| panic!("{}", ended.screen));
    assert!(at("Plan") < at("stops a program") && at("stops a program") < at("[y/N]"));
}

#[test]
fn on_a_terminal_every_step_is_asked_for_and_a_no_ends_it() {
    Namespace::enter();
    let port = fresh_port();
    let listener = states::listening(&request(LOCAL, port));
    states::time_wait(states::established(&listener, lastack_lab::sockets::local(&listener)));
    let server = holder(listener);
    let ended = Terminal::session(&[&format!("127.0.0.1:{port}")], |terminal| {
        terminal.is_asked(1);
        terminal.types("y\n");
        terminal.is_asked(2);
        terminal.types("n\n");
    });
    assert_eq!(ended.code, Some(1), "{}", ended.screen);
    assert!(!runs(server.pid()));
    assert_eq!(states::on_port(port).len(), 1, "the TIME_WAIT is there: {}", ended.screen);
    assert!(!ended.screen.contains("Nothing was done"), "{}", ended.screen);
    assert!(ended.screen.contains("is in use."), "{}", ended.screen);
}

#[test]
fn on_a_terminal_sigkill_is_asked_for_too() {
    for (answer, dies) in [("y\n", true), ("n\n", false)] {
        Namespace::enter();
        let port = fresh_port();
        let bystander = Bystander::on(port);
        let deaf = crate::stubborn::deaf(port);
        let place = format!("127.0.0.1:{port}");
        let ended = Terminal::session(&[&place, "--grace", "100ms"], |terminal| {
            terminal.is_asked(1);
            terminal.types("y\n");
            terminal.is_asked(2);
            terminal.types(answer);
        });
        assert_eq!(ended.code, Some(i32::from(!dies)), "{}", ended.screen);
        assert_eq!(runs(deaf.pid()), !dies);
        let screen = words(&ended.screen);
        assert!(screen.contains("it ignores SIGTERM. End with SIGKILL? [y/N]"), "{screen}");
        bystander.assert_unharmed();
    }
}

#[test]
fn json_never_asks_and_is_one_object() {
    Namespace::enter();
    let port = fresh_port();
    let server = holder(states::listening(&request(LOCAL, port)));
    let place = format!("127.0.0.1:{port}");
    let ended = Terminal::session(&[&place, "--json"], |_| {});
    assert_eq!(ended.code, Some(1), "{}", ended.screen);
    assert!(!ended.screen.contains("[y/N]"), "{}", ended.screen);
    assert!(runs(server.pid()));
    let done = Attempt::on(&place).json(&["--yes", "--stop"]);
    assert_eq!(done["exit"], 0);
    assert_eq!(done["plan"]["steps"][0]["harm"], "program");
    assert!(done["done"][0]["outcome"]["stopped"]["after_ms"].is_u64(), "{done}");
    assert_eq!(done["explanation"]["verdict"], "free");
    assert!(!runs(server.pid()));
}

#[test]
fn the_flags_say_how_to_go_on() {
    Namespace::enter();
    let port = fresh_port();
    let server = holder(states::listening(&request(LOCAL, port)));
    let place = format!("127.0.0.1:{port}");
    let attempt = Attempt::on(&place);
    let said = |flags: &[&str]| words(&attempt.run(flags).stdout);
    assert!(said(&[]).ends_with("add --yes --stop, or run it in a terminal, where it asks."));
    assert!(said(&["--stop"]).contains("add --yes --stop"), "--stop alone is no leave");
    assert!(said(&["--dry-run"]).ends_with("To do it: --yes --stop instead of --dry-run."));
    assert!(runs(server.pid()));
    let waits = fresh_port();
    states::time_wait(connection(&request(LOCAL, waits)));
    let end = Attempt::on(&format!("127.0.0.1:{waits}")).run(&[]);
    assert!(
        words(&end.stdout)
            .ends_with("To do it: add --yes, or run it in a terminal, where it asks.")
    );
}

#[test]
fn half_a_plan_is_not_carried_out() {
    Namespace::enter();
    let port = fresh_port();
    let listener = states::listening(&request(LOCAL, port));
    states::time_wait(states::established(&listener, lastack_lab::sockets::local(&listener)));
    let server = holder(listener);
    let place = format!("127.0.0.1:{port}");
    Attempt::on(&place).frees_with(Leave::Stop);
    assert!(!runs(server.pid()));
}

#[test]
fn a_mistake_in_one_of_several_addresses_is_found_before_anything_is_done() {
    Namespace::enter();
    let (port, other) = (fresh_port(), fresh_port());
    let server = holder(states::listening(&request(LOCAL, port)));
    states::time_wait(connection(&request(LOCAL, other)));
    let before = sockets_here();
    let good = [format!("127.0.0.1:{port}"), format!("127.0.0.1:{other}")];
    for bad in ["127.0.0.1:99999", "nonsense:", "[fe80::1%nowhere]:80", "tcp/"] {
        let lastack = program::lastack(&["free", &good[0], &good[1], bad, "--yes", "--kill"]);
        assert_eq!(lastack.code, Some(2), "{bad}: {lastack:#?}");
        assert_eq!(lastack.stdout, "", "{bad}");
        assert!(lastack.stderr.starts_with("lastack: ") && lastack.stderr.lines().count() == 1);
        assert_eq!(sockets_here(), before, "{bad}");
    }
    assert!(runs(server.pid()));
    let both = program::lastack(&["free", &good[0], &good[1], "--yes"]);
    assert_eq!(both.code, Some(1), "the worst: {both:#?}");
    assert!(both.stdout.contains(&format!("TCP port {other} is free to bind")), "{}", both.stdout);
    assert!(runs(server.pid()));
}

#[test]
fn lastack_s_own_parent_is_spared_unless_it_is_named() {
    Namespace::enter();
    let port = fresh_port();
    let bystander = Bystander::on(port);
    let lastack = program::path();
    let place = format!("127.0.0.1:{port}");
    let asked = |even: &str| {
        let script = format!(
            "exec 3<&0 </dev/null; {} free {place} --yes --stop {even} 3<&-; echo code $?; cat <&3",
            lastack.display()
        );
        let listener = states::listening(&request(LOCAL, port));
        program::run_with(Command::new("sh").args(["-c", &script]), listener)
    };
    let spared = asked("");
    let said = words(&spared.stdout);
    assert!(said.contains("is what lastack runs in"), "{said}");
    assert!(said.contains("(--even ") && said.contains("code 1"), "{said}");
    let named = asked("--even $$");
    assert!(words(&named.stdout).contains("is free to bind"), "{named:#?}");
    assert_eq!(named.code, None, "its shell was ended: {named:#?}");
    bystander.assert_unharmed();
}
