//! Commands that go well: their output, their status, their input, and who keeps `TIME_WAIT`.

use super::scene::{SOON, Scene, THERE_V6, task, time_waits};
use super::server::Caller;
use lastack_lab::link::THERE;
use lastack_lab::privilege::without_reserved_ports;
use lastack_rsh::rcmd::Errors;
use lastack_rsh::{Carrier as _, Cause, Output, Ran, Stage, Stdin, Stop, Task};
use rustix::process::Uid;
use rustix::thread::{
    CapabilitySet, CapabilitySets, set_capabilities, set_keep_capabilities, set_thread_res_uid,
};
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};

const MODES: [Errors; 3] = [Errors::Merged, Errors::Early, Errors::Acknowledged];

#[test]
fn output_errors_and_status_come_back_in_every_mode_and_the_remote_side_closes_first() {
    for errors in MODES {
        let scene = Scene::with(errors);
        scene.server(Caller::serve);
        let came = scene.run("echo out; echo err >&2; exit 7");
        assert_eq!(came.report.result, Ok(7), "{errors:?}: {came:?}");
        assert_eq!(came.report.notes, Vec::<String>::new());
        let both = came.text();
        let expected =
            if errors == Errors::Merged { ("out\nerr\n", "") } else { ("out\n", "err\n") };
        assert_eq!(both, expected, "{errors:?}");
        scene.assert_nothing_is_left();
        // The server keeps it of the main connection, we of the other.
        let ours = usize::from(errors != Errors::Merged);
        assert_eq!(time_waits(), (0, ours), "{errors:?}: here");
        assert_eq!(scene.far.run(|_| time_waits()), (1, 0), "{errors:?}: there");
    }
}

#[test]
fn a_killed_shell_a_status_of_a_signal_and_a_command_that_does_not_parse_are_told_apart() {
    let scene = Scene::with(Errors::Acknowledged);
    scene.server(Caller::serve);
    assert_eq!(scene.run("sh -c 'kill -9 $$'").report.result, Ok(137));
    let broken = scene.run("echo 'unfinished");
    assert!(broken.report.result.as_ref().is_ok_and(|status| *status > 0), "{broken:?}");
    assert!(!broken.stderr.is_empty(), "{broken:?}");
    let killed = scene.run("kill -9 $$");
    assert_eq!(killed.failure().cause, Cause::NoStatus);
    scene.assert_nothing_is_left();
}

#[test]
fn input_arrives_whole_and_what_a_command_leaves_of_it_costs_nothing() {
    let input: Arc<[u8]> = (0..=255).cycle().take(300_000).collect();
    for errors in MODES {
        let scene = Scene::with(errors);
        scene.server(Caller::serve);
        let stdin = Stdin::Octets(Arc::clone(&input));
        let came = scene.carry(Task { stdin: stdin.clone(), ..task("cat; exit 3") });
        assert_eq!(came.report.result, Ok(3), "{:?}", came.report);
        assert!(came.stdout == *input, "{} octets came back", came.stdout.len());
        let came = scene.carry(Task { stdin, ..task("head -c 1 >/dev/null; exit 4") });
        assert_eq!((came.report.result, came.report.notes), (Ok(4), vec![]), "{errors:?}");
        scene.assert_nothing_is_left();
    }
}

#[test]
fn without_input_a_command_that_reads_sees_the_end_at_once() {
    let scene = Scene::with(Errors::Acknowledged);
    scene.server(Caller::serve);
    assert_eq!(scene.run("cat; wc -c").text().0.trim(), "0");
    scene.assert_nothing_is_left();
}

#[test]
fn half_close_is_for_who_asks_and_leaves_time_wait_here() {
    for errors in MODES {
        let scene = Scene::set_up(|options| {
            options.errors = errors;
            options.half_close = true;
        });
        scene.server(Caller::serve);
        let stdin = Stdin::Octets(Arc::from(*b"line\n"));
        let came = scene.carry(Task { stdin, ..task("cat; exit 5") });
        assert_eq!((came.report.result.clone(), came.text().0), (Ok(5), "line\n"), "{came:?}");
        let to = std::net::SocketAddr::from((THERE, 514));
        assert_eq!(scene.rsh.ports().standing(to).quarantined, 1);
        assert_eq!(time_waits().0, 1);
    }
}

#[test]
fn binary_output_passes_unchanged() {
    let scene = Scene::with(Errors::Acknowledged);
    let blob: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
    let sent = blob.clone();
    scene.server(move |mut caller: Caller| {
        let (errors, asked) = caller.take();
        caller.say(&[0]);
        caller.say(&sent);
        let mark = asked.command.split("echo ").last().and_then(|rest| rest.split('$').next());
        caller.say(format!("{}0\n", mark.expect("a mark")).as_bytes());
        drop(errors);
    });
    let came = scene.run("whatever");
    assert_eq!(came.report.result, Ok(0));
    assert!(came.stdout == blob, "{} octets", came.stdout.len());
}

#[test]
fn over_ipv6_it_is_the_same() {
    for errors in MODES {
        let scene = Scene::with(errors);
        scene.server_v6(Caller::serve);
        for host in [THERE_V6.to_string(), format!("[{THERE_V6}]")] {
            let came = scene.carry(Task { host: host.into(), ..task("echo out; exit 6") });
            assert_eq!((came.report.result.clone(), came.text().0), (Ok(6), "out\n"), "{came:?}");
        }
        scene.assert_nothing_is_left();
    }
}

#[test]
fn each_address_of_a_name_is_tried() {
    let scene = Scene::with(Errors::Acknowledged);
    // Here itself, at one of the two addresses of this name.
    super::server::listen("127.0.0.1:514".parse().expect("an address"), Caller::serve);
    let came = scene.carry(Task { host: "localhost".into(), ..task("exit 8") });
    assert_eq!(came.report.result, Ok(8), "{came:?}");
    let unknown = scene.carry(Task { host: "no-such-host.invalid".into(), ..task("exit 8") });
    let failure = unknown.failure();
    assert_eq!((failure.stage, failure.ran), (Stage::Resolve, Ran::No), "{failure}");
}

#[test]
fn three_hundred_commands_at_once_cost_no_port() {
    for errors in MODES {
        let scene = Scene::with(errors);
        scene.server(Caller::serve);
        let (queue, mut pieces) = mpsc::channel(64);
        let rsh = Arc::new(scene.rsh);
        let mut said: Vec<(usize, Vec<u8>)> = Vec::new();
        scene.runtime.block_on(async {
            let places = Arc::new(Semaphore::new(32));
            for number in 0..300_u16 {
                let output = Output::new(number.into(), queue.clone());
                let (rsh, places) = (Arc::clone(&rsh), Arc::clone(&places));
                tokio::spawn(async move {
                    let _place = places.acquire().await.expect("a place");
                    let (_puller, stop) = Stop::new();
                    let task = task(&format!("echo {number}; exit {}", number % 200));
                    let report = rsh.run(task, output, stop).await;
                    assert_eq!(report.result, Ok((number % 200) as u8), "{report:?}");
                });
            }
            drop(queue);
            while let Some(piece) = pieces.recv().await {
                said.push((piece.task, piece.octets));
            }
        });
        said.sort_unstable();
        let expected = (0..300).map(|number| (number, format!("{number}\n").into_bytes()));
        assert!(said.into_iter().eq(expected), "{errors:?}");
        let counts = rsh.ports().counts();
        assert_eq!(counts.connected, 300, "{counts:?}");
        let standing = rsh.ports().standing(std::net::SocketAddr::from((THERE, 514)));
        assert_eq!((standing.lent, standing.quarantined), (0, 0), "{standing:?}");
    }
}

#[test]
fn an_ordinary_user_with_that_one_capability_suffices() {
    let scene = Scene::with(Errors::Acknowledged);
    scene.server(Caller::serve);
    let in_thread = || {
        become_ordinary();
        let came = scene.run("echo out; echo err >&2; exit 7");
        assert_eq!(came.report.result, Ok(7), "{came:?}");
        assert_eq!(came.text(), ("out\n", "err\n"));
    };
    std::thread::scope(|scope| scope.spawn(in_thread).join().expect("the thread"));
    scene.assert_nothing_is_left();
}

/// Makes the calling thread user 1000, with `CAP_NET_BIND_SERVICE` and nothing else.
fn become_ordinary() {
    set_keep_capabilities(true).expect("capabilities can be kept");
    let user = Uid::from_raw(1000);
    set_thread_res_uid(user, user, user).expect("another user");
    let only = CapabilitySet::NET_BIND_SERVICE;
    let inheritable = CapabilitySet::empty();
    let sets = CapabilitySets { effective: only, permitted: only, inheritable };
    set_capabilities(None, sets).expect("less capabilities");
}

#[test]
fn without_the_right_to_reserved_ports_it_says_which_right_that_is() {
    let scene = Scene::with(Errors::Merged);
    scene.server(Caller::serve);
    let came = without_reserved_ports(|| scene.run("true"));
    let failure = came.failure();
    assert_eq!((failure.stage, failure.ran), (Stage::Port, Ran::No));
    assert!(failure.to_string().contains("CAP_NET_BIND_SERVICE"), "{failure}");
    assert!(came.report.elapsed < SOON);
}
