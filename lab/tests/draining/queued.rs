//! Fifty clients in the accept queue, their question sent, when the listener is closed.

use crate::scene::{
    CLIENTS, administrator, alone, drain, of_group, ordinary_user, outcomes, queued, serve_queue,
};
use lastack_graceful::listener::{DrainReport, Method, Successor};
use lastack_lab::program::undisturbed;
use lastack_os::listener;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

const GROUP: Successor = Successor::SameGroup { index: 1 };

#[test]
fn a_plain_close_resets_everybody_who_waits() {
    ordinary_user("0");
    let listener = alone();
    let clients = queued(&listener);
    undisturbed(|| drop(listener));
    assert_eq!(outcomes(clients), (0, CLIENTS));
}

#[test]
fn a_sibling_does_not_save_those_who_wait_in_a_listener_that_is_closed_plainly() {
    ordinary_user("0");
    let listener = of_group();
    let clients = queued(&listener);
    let sibling = of_group();
    undisturbed(|| drop(listener));
    assert_eq!(serve_queue(&sibling), 0);
    assert_eq!(outcomes(clients), (0, CLIENTS));
}

#[test]
fn a_connection_that_comes_between_select_and_close_is_reset() {
    ordinary_user("0");
    let listener = alone();
    let mut ready = [PollFd::new(&listener, PollFlags::IN)];
    assert_eq!(poll(&mut ready, Some(&Timespec::default())), Ok(0), "nobody is there");
    let clients = queued(&listener);
    undisturbed(|| drop(listener));
    assert_eq!(outcomes(clients), (0, CLIENTS));
}

#[test]
fn the_end_of_a_server_serves_everybody_who_waits_and_refuses_who_comes_later() {
    administrator();
    let listener = alone();
    let clients = queued(&listener);
    let report = drain(listener, Successor::None);
    assert_eq!((report.method, report.accepted), (Method::SynFilter, CLIENTS.into()));
    assert!(report.lost_nobody(), "{report:?}");
    assert_eq!(outcomes(clients), (CLIENTS, 0));
    let late = TcpStream::connect(crate::scene::SERVER).expect_err("nobody listens");
    assert_eq!(late.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn steering_serves_who_waits_and_gives_who_comes_later_to_the_successor() {
    ordinary_user("0");
    let listener = of_group();
    let clients = queued(&listener);
    let successor = of_group();
    let mut late = Vec::new();
    let report = lastack_graceful::listener::close_draining(
        listener,
        GROUP,
        std::time::Instant::now() + std::time::Duration::from_secs(20),
        |stream| {
            late.push(TcpStream::connect(crate::scene::SERVER).expect("no gap"));
            crate::scene::answer(stream);
        },
    )
    .expect("a report");
    assert_eq!((report.method, report.accepted), (Method::Steered, CLIENTS.into()));
    assert!(report.lost_nobody(), "{report:?}");
    assert_eq!(outcomes(clients), (CLIENTS, 0));
    lastack_graceful::listener::stop_steering(&successor).expect("the group's rule is dropped");
    crate::scene::ask(&mut late);
    assert_eq!(serve_queue(&successor), CLIENTS);
    assert_eq!(outcomes(late), (CLIENTS, 0));
}

#[test]
fn a_shared_socket_keeps_its_queue_for_the_other_holder() {
    ordinary_user("0");
    let listener = alone();
    let successor = listener.try_clone().expect("a second descriptor");
    let clients = queued(&listener);
    let report = undisturbed(|| drain(listener, Successor::SharedSocket));
    assert_eq!((report.method, report.accepted), (Method::Shared, 0));
    assert!(report.lost_nobody(), "{report:?}");
    assert_eq!(serve_queue(&successor), CLIENTS);
    assert_eq!(outcomes(clients), (CLIENTS, 0));
}

#[test]
fn a_shared_socket_that_nobody_shares_is_told_with_its_victims() {
    ordinary_user("0");
    let listener = alone();
    let clients = queued(&listener);
    let report = undisturbed(|| drain(listener, Successor::SharedSocket));
    assert_eq!((report.stranded, report.lost_nobody()), (CLIENTS, false));
    assert_eq!(outcomes(clients), (0, CLIENTS));
}

#[test]
fn of_a_listener_of_another_namespace_no_more_is_claimed_than_is_seen() {
    administrator();
    let listener = alone();
    let successor = listener.try_clone().expect("a second descriptor");
    let elsewhere = |listener, successor| {
        std::thread::spawn(move || {
            administrator();
            undisturbed(|| drain(listener, successor))
        })
        .join()
        .expect("a report")
    };
    let clients = queued(&listener);
    let report = elsewhere(listener, Successor::SharedSocket);
    assert_eq!((report.stranded, report.half_open_left), (0, None), "{report:?}");
    let report = elsewhere(successor, Successor::None);
    assert_eq!((report.method, report.accepted), (Method::SynFilter, CLIENTS.into()));
    assert_eq!((report.half_open_left, report.lost_nobody()), (None, false), "{report:?}");
    assert_eq!(outcomes(clients), (CLIENTS, 0));
}

#[test]
fn a_rule_found_wrong_is_taken_back_and_the_others_of_the_group_share_who_comes() {
    ordinary_user("0");
    let listener = of_group();
    let mut clients = queued(&listener);
    let others = [of_group(), of_group()];
    let report = steered_to_itself(listener, &mut clients, 2 * CLIENTS as usize);
    assert!(matches!(report.method, Method::SynFilter | Method::TtlFloor), "{report:?}");
    assert_eq!(report.accepted, u64::from(2 * CLIENTS));
    assert_eq!(outcomes(clients), (2 * CLIENTS, 0));
    let mut late = crate::scene::connected();
    crate::scene::ask(&mut late);
    let served = others.map(|other| serve_queue(&other));
    assert!(served.iter().all(|&served| served > 0), "{served:?}");
    assert_eq!(served[0] + served[1], CLIENTS);
    assert_eq!(outcomes(late), (CLIENTS, 0));
}

#[test]
fn without_a_successor_in_the_group_the_close_is_a_final_one() {
    administrator();
    let listener = of_group();
    let clients = queued(&listener);
    let report = drain(listener, GROUP);
    assert_eq!(report.method, Method::SynFilter, "{report:?}");
    assert_eq!(outcomes(clients), (CLIENTS, 0));
}

#[test]
fn a_filter_of_the_programs_own_is_kept_and_the_queue_is_served_all_the_same() {
    administrator();
    let listener = alone();
    let clients = queued(&listener);
    listener::refuse_handshakes(&listener).expect("some filter");
    let report = drain(listener, Successor::None);
    assert_eq!((report.method, report.accepted), (Method::TtlFloor, CLIENTS.into()));
    assert!(report.lost_nobody(), "{report:?}");
    assert_eq!(outcomes(clients), (CLIENTS, 0));
}

#[test]
fn an_accepted_connection_keeps_no_filter() {
    administrator();
    let listener = alone();
    let mut client = TcpStream::connect(crate::scene::SERVER).expect("a connection");
    let report = lastack_graceful::listener::close_draining(
        listener,
        Successor::None,
        std::time::Instant::now() + std::time::Duration::from_secs(20),
        |mut stream| {
            assert!(!listener::has_filter(&stream).expect("SO_GET_FILTER"));
            stream.write_all(&vec![b'x'; 100_000]).expect("more than one segment");
        },
    );
    assert_eq!(report.expect("a report").accepted, 1);
    let mut heard = Vec::new();
    assert_eq!(client.read_to_end(&mut heard).expect("everything"), 100_000);
}

#[test]
fn an_ordinary_user_ends_a_server_without_loss_to_those_who_wait() {
    ordinary_user("0");
    let listener = alone();
    let clients = queued(&listener);
    let report = drain(listener, Successor::None);
    // A filter on a TCP socket needed no privilege before 2026.
    assert!(matches!(report.method, Method::SynFilter | Method::TtlFloor), "{report:?}");
    assert!(report.lost_nobody(), "{report:?}");
    assert_eq!(outcomes(clients), (CLIENTS, 0));
}

#[test]
fn with_tcp_migrate_req_the_sibling_gets_who_waits() {
    ordinary_user("1");
    let listener = of_group();
    let clients = queued(&listener);
    let sibling = of_group();
    undisturbed(|| drop(listener));
    assert_eq!(serve_queue(&sibling), CLIENTS);
    assert_eq!(outcomes(clients), (CLIENTS, 0));
}

/// Drains it with a successor's place that is its own, while another client comes for each that is served, up to so many.
fn steered_to_itself(
    listener: TcpListener,
    clients: &mut Vec<TcpStream>,
    most: usize,
) -> DrainReport {
    let itself = Successor::SameGroup { index: 0 };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let serve = |stream| {
        if clients.len() < most {
            clients.push(TcpStream::connect(crate::scene::SERVER).expect("no gap"));
            let newest = clients.len() - 1;
            crate::scene::ask(&mut clients[newest..]);
        }
        crate::scene::answer(stream);
    };
    lastack_graceful::listener::close_draining(listener, itself, deadline, serve).expect("a report")
}

#[test]
fn steered_to_itself_by_mistake_it_leaves_who_waits_to_the_sibling_by_migration() {
    ordinary_user("1");
    let listener = of_group();
    let mut clients = queued(&listener);
    let sibling = of_group();
    let report = steered_to_itself(listener, &mut clients, usize::MAX);
    assert_eq!(report.method, Method::Migrated, "{report:?}");
    assert!(!report.lost_nobody(), "a handshake that ends in that very moment can be lost");
    let all = clients.len() as u32;
    assert_eq!(u64::from(serve_queue(&sibling)) + report.accepted, u64::from(all));
    assert_eq!(outcomes(clients), (all, 0));
}

/// An ordinary user's end of a server, as it is where the kernel wants a privilege for filters.
#[test]
fn a_ttl_floor_serves_who_waits_and_is_silent_to_who_comes_later() {
    ordinary_user("0");
    let listener = alone();
    let clients = queued(&listener);
    listener::raise_ttl_floor(&listener).expect("IP_MINTTL");
    let limit = std::time::Duration::from_millis(50);
    let late = TcpStream::connect_timeout(&crate::scene::SERVER, limit).expect_err("silence");
    assert_eq!(late.kind(), std::io::ErrorKind::TimedOut);
    assert_eq!(serve_queue(&listener), CLIENTS);
    assert_eq!(outcomes(clients), (CLIENTS, 0));
}

#[test]
fn a_floor_of_the_programs_own_stays_with_its_connections() {
    ordinary_user("0");
    let listener = alone();
    let clients = queued(&listener);
    listener::raise_ttl_floor(&listener).expect("IP_MINTTL");
    let mut kept = 0;
    let report = lastack_graceful::listener::close_draining(
        listener,
        Successor::None,
        std::time::Instant::now() + std::time::Duration::from_secs(20),
        |stream| {
            // These were there before the floor was.
            assert!(!listener::has_ttl_floor(&stream).expect("IP_MINTTL"));
            kept += 1;
            crate::scene::answer(stream);
        },
    );
    let report = report.expect("a report");
    assert!(matches!(report.method, Method::SynFilter | Method::AcceptLoop), "{report:?}");
    assert_eq!(report.lost_nobody(), report.method == Method::SynFilter, "{report:?}");
    assert_eq!((kept, outcomes(clients)), (CLIENTS, (CLIENTS, 0)));
}
