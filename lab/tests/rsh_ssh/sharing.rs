//! Several commands over one connection, and connections that stay for the next run or do not.

use crate::scene::Scene;
use lastack_lab::states::wait_until;

/// Where the connection came from: its port is another one for another connection.
fn ports(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.split_whitespace().nth(2)).collect()
}

#[test]
fn several_commands_go_over_one_connection_which_is_gone_afterwards() {
    let scene = Scene::new();
    let file = scene.write("list", "# what to do\necho $SSH_CONNECTION\n\necho $SSH_CONNECTION; exit 3\necho $SSH_CONNECTION\n");
    let run = scene.rsh(&["-w", "node1", "--commands", file.to_str().expect("text")]);
    assert_eq!(run.code, Some(3));
    let ports = ports(&run.stdout);
    assert_eq!(ports.len(), 3, "{}{}", run.stdout, run.stderr);
    assert!(ports.iter().all(|port| *port == ports[0]), "{}", run.stdout);
    assert!(
        run.stderr.contains("node1 #2") && run.stderr.contains("3 commands: 2 succeeded, 1 failed"),
        "{}",
        run.stderr
    );
    assert_eq!(scene.left(), Vec::<String>::new());
    wait_until("no master is left", || Scene::clients(scene.file("").to_str().expect("text")) == 0);
}

#[test]
fn a_host_where_nothing_can_be_started_is_not_asked_for_every_command() {
    let scene = Scene::new();
    let file = scene.write("list", "true\ntrue\ntrue\n");
    let run = scene.rsh(&["-w", "192.0.2.1", "--commands", file.to_str().expect("text")]);
    assert_eq!(run.code, Some(3));
    let text = run.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(
        text.matches("not run: a command before it could not be started there").count(),
        2,
        "{text}"
    );
}

#[test]
fn a_connection_that_is_to_stay_serves_the_next_run() {
    let scene = Scene::new();
    let ask = || scene.rsh(&["-w", "node1", "--persist", "1m", "echo $SSH_CONNECTION; exit 6"]);
    let (first, second) = (ask(), ask());
    assert_eq!((first.code, second.code), (Some(3), Some(3)), "{second:#?}");
    assert_eq!(ports(&first.stdout).len(), 1, "{first:#?}");
    assert_eq!(ports(&first.stdout), ports(&second.stdout));
    let socket = scene.file("lastack-rsh/m").join(&scene.masters()[0]);
    let path = format!("ControlPath={}", socket.display());
    let mut end = scene.command("ssh");
    let ended = lastack_lab::program::run(end.args(["-o", &path, "-O", "exit", "master"]));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    wait_until("the master has ended", || scene.masters().is_empty());
}

#[test]
fn a_connection_that_stays_ends_when_it_is_idle() {
    let scene = Scene::new();
    assert_eq!(scene.rsh(&["-w", "node1", "--persist", "1s", "true"]).code, Some(0));
    wait_until("the master has ended", || scene.masters().is_empty());
}
