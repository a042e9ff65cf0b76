//! Patience: what ends by itself in time is waited for and not destroyed.

use crate::bystander::Bystander;
use crate::scene::{Attempt, LOCAL, connection, fresh_port, holder, really, request, runs, words};
use crate::terminal::Terminal;
use lastack_lab::namespace::Namespace;
use lastack_lab::program::undisturbed;
use lastack_lab::states;
use lastack_model::state::State;

/// `FIN_WAIT_2` that lasts a second, and the peer's end.
fn short_orphan(namespace: &Namespace, port: u16) -> rustix::fd::OwnedFd {
    namespace.set("ipv4/tcp_fin_timeout", "1");
    states::orphan_fin_wait_2(connection(&request(LOCAL, port)))
}

#[test]
fn an_orphan_that_ends_in_time_is_waited_for_without_root_and_nothing_is_destroyed() {
    let namespace = Namespace::enter();
    let port = fresh_port();
    let bystander = Bystander::on(port);
    let place = format!("127.0.0.1:{port}");
    let attempt = Attempt::on(&place).by_nobody();
    let (done, remote_end) = undisturbed(|| {
        let remote_end = holder(short_orphan(&namespace, port));
        (attempt.json(&["--yes", "--patience", "4s"]), remote_end)
    });
    assert_eq!(done["exit"], 0, "{done}");
    assert!(done["plan"]["steps"][0]["act"]["wait"]["least_ms"].is_u64(), "{done}");
    assert!(runs(remote_end.pid()));
    let steps = done["done"].as_array().expect("a list");
    assert_eq!(steps.len(), 1, "{done}");
    assert!(steps[0]["outcome"]["waited"].as_u64().expect("a time") < 4000, "{done}");
    assert_eq!(really(&request(LOCAL, port)), None);
    bystander.assert_unharmed();
}

#[test]
fn what_lasts_longer_than_the_patience_is_not_waited_for() {
    Namespace::enter();
    let port = fresh_port();
    states::time_wait(connection(&request(LOCAL, port)));
    let place = format!("127.0.0.1:{port}");
    let done = Attempt::on(&place).json(&["--yes", "--patience", "2s"]);
    assert_eq!(done["exit"], 0, "{done}");
    assert_eq!(done["done"][0]["outcome"]["destroyed"]["destroyed"], 1, "{done}");
}

#[test]
fn what_was_waited_for_in_vain_is_a_new_step_with_its_harm_shown() {
    let namespace = Namespace::enter();
    let port = fresh_port();
    let place = format!("127.0.0.1:{port}");
    let ended = undisturbed(|| {
        let peer = short_orphan(&namespace, port);
        Terminal::session(&[&place, "--patience", "1s"], |terminal| {
            terminal.is_asked(1);
            drop(peer);
            states::wait_for(port, |socket| socket.state == State::TimeWait);
            terminal.types("y\n");
            terminal.is_asked(2);
            terminal.types("y\n");
        })
    });
    let screen = words(&ended.screen);
    assert_eq!(ended.code, Some(0), "{screen}");
    let (_, after) = screen.split_once("waited 1.0 s").unwrap_or_else(|| panic!("{screen}"));
    let (harm, question) = (after.find("stops nobody"), after.find("[y/N]"));
    assert!(harm.is_some() && harm < question, "{screen}");
    assert_eq!(really(&request(LOCAL, port)), None);
}
