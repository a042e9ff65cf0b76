//! Fifty clients in the accept queue, their question sent, when the listener is closed.

use crate::scene::{
    CLIENTS, Site, administrator, answer, ask, drain, everywhere, ordinary_user,
    ordinary_user_of_high_ttls, outcomes, serve_queue,
};
use lastack_graceful::listener::{DrainReport, Method, Successor, close_draining, stop_steering};
use lastack_lab::program::undisturbed;
use lastack_os::listener;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

const GROUP: Successor = Successor::SameGroup { index: 1 };

#[test]
fn a_plain_close_resets_everybody_who_waits() {
    everywhere(|site| {
        ordinary_user("0");
        let listener = site.alone();
        let clients = site.queued(&listener);
        undisturbed(|| drop(listener));
        assert_eq!(outcomes(clients), (0, CLIENTS));
    });
}

#[test]
fn a_sibling_does_not_save_those_who_wait_in_a_listener_that_is_closed_plainly() {
    everywhere(|site| {
        ordinary_user("0");
        let listener = site.of_group();
        let clients = site.queued(&listener);
        let sibling = site.of_group();
        undisturbed(|| drop(listener));
        assert_eq!(serve_queue(&sibling), 0);
        assert_eq!(outcomes(clients), (0, CLIENTS));
    });
}

#[test]
fn a_connection_that_comes_between_select_and_close_is_reset() {
    everywhere(|site| {
        ordinary_user("0");
        let listener = site.alone();
        let mut ready = [PollFd::new(&listener, PollFlags::IN)];
        assert_eq!(poll(&mut ready, Some(&Timespec::default())), Ok(0), "nobody is there");
        let clients = site.queued(&listener);
        undisturbed(|| drop(listener));
        assert_eq!(outcomes(clients), (0, CLIENTS));
    });
}

#[test]
fn the_end_of_a_server_serves_everybody_who_waits_and_refuses_who_comes_later() {
    everywhere(|site| {
        administrator();
        let listener = site.alone();
        let clients = site.queued(&listener);
        let report = drain(listener, Successor::None);
        assert_eq!((report.method, report.accepted), (Method::SynFilter, CLIENTS.into()));
        assert!(report.lost_nobody(), "{report:?}");
        assert_eq!(outcomes(clients), (CLIENTS, 0));
        for door in site.doors() {
            let late = TcpStream::connect(door).expect_err("nobody listens");
            assert_eq!(late.kind(), ErrorKind::ConnectionRefused);
        }
    });
}

#[test]
fn steering_serves_who_waits_and_gives_who_comes_later_to_the_successor() {
    everywhere(|site| {
        ordinary_user("0");
        let listener = site.of_group();
        let clients = site.queued(&listener);
        let successor = site.of_group();
        let mut late = Vec::new();
        let report = close_draining(listener, GROUP, Instant::now() + PATIENCE, |stream| {
            late.push(TcpStream::connect(site.door(late.len())).expect("no gap"));
            answer(stream);
        })
        .expect("a report");
        assert_eq!((report.method, report.accepted), (Method::Steered, CLIENTS.into()));
        assert!(report.lost_nobody(), "{report:?}");
        assert_eq!(outcomes(clients), (CLIENTS, 0));
        stop_steering(&successor).expect("the group's rule is dropped");
        ask(&mut late);
        assert_eq!(serve_queue(&successor), CLIENTS);
        assert_eq!(outcomes(late), (CLIENTS, 0));
    });
}

#[test]
fn a_shared_socket_keeps_its_queue_for_the_other_holder() {
    everywhere(|site| {
        ordinary_user("0");
        let listener = site.alone();
        let successor = listener.try_clone().expect("a second descriptor");
        let clients = site.queued(&listener);
        let report = undisturbed(|| drain(listener, Successor::SharedSocket));
        assert_eq!((report.method, report.accepted), (Method::Shared, 0));
        assert!(report.lost_nobody(), "{report:?}");
        assert_eq!(serve_queue(&successor), CLIENTS);
        assert_eq!(outcomes(clients), (CLIENTS, 0));
    });
}

#[test]
fn a_shared_socket_that_nobody_shares_is_told_with_its_victims() {
    everywhere(|site| {
        ordinary_user("0");
        let listener = site.alone();
        let clients = site.queued(&listener);
        let report = undisturbed(|| drain(listener, Successor::SharedSocket));
        assert_eq!((report.stranded, report.lost_nobody()), (CLIENTS, false));
        assert_eq!(outcomes(clients), (0, CLIENTS));
    });
}

#[test]
fn of_a_listener_of_another_namespace_no_more_is_claimed_than_is_seen() {
    everywhere(|site| {
        administrator();
        let listener = site.alone();
        let successor = listener.try_clone().expect("a second descriptor");
        let elsewhere = |listener, successor| {
            std::thread::spawn(move || {
                administrator();
                undisturbed(|| drain(listener, successor))
            })
            .join()
            .expect("a report")
        };
        let clients = site.queued(&listener);
        let report = elsewhere(listener, Successor::SharedSocket);
        assert_eq!((report.stranded, report.half_open_left), (0, None), "{report:?}");
        let report = elsewhere(successor, Successor::None);
        assert_eq!((report.method, report.accepted), (Method::SynFilter, CLIENTS.into()));
        assert_eq!((report.half_open_left, report.lost_nobody()), (None, false), "{report:?}");
        assert_eq!(outcomes(clients), (CLIENTS, 0));
    });
}

#[test]
fn a_rule_found_wrong_is_taken_back_and_the_others_of_the_group_share_who_comes() {
    everywhere(|site| {
        ordinary_user("0");
        let listener = site.of_group();
        let mut clients = site.queued(&listener);
        let others = [site.of_group(), site.of_group()];
        let report = steered_to_itself(site, listener, &mut clients, 2 * CLIENTS as usize);
        assert!(matches!(report.method, Method::SynFilter | Method::TtlFloor), "{report:?}");
        assert_eq!(report.accepted, u64::from(2 * CLIENTS));
        assert_eq!(outcomes(clients), (2 * CLIENTS, 0));
        let mut late = site.connected();
        ask(&mut late);
        let served = others.map(|other| serve_queue(&other));
        assert!(served.iter().all(|&served| served > 0), "{served:?}");
        assert_eq!(served[0] + served[1], CLIENTS);
        assert_eq!(outcomes(late), (CLIENTS, 0));
    });
}

#[test]
fn without_a_successor_in_the_group_the_close_is_a_final_one() {
    everywhere(|site| {
        administrator();
        let listener = site.of_group();
        let clients = site.queued(&listener);
        let report = drain(listener, GROUP);
        assert_eq!(report.method, Method::SynFilter, "{report:?}");
        assert_eq!(outcomes(clients), (CLIENTS, 0));
    });
}

#[test]
fn a_filter_of_the_programs_own_is_kept_and_the_queue_is_served_all_the_same() {
    everywhere(|site| {
        administrator();
        let listener = site.alone();
        let clients = site.queued(&listener);
        listener::refuse_handshakes(&listener).expect("some filter");
        let report = drain(listener, Successor::None);
        assert_eq!((report.method, report.accepted), (Method::TtlFloor, CLIENTS.into()));
        assert!(report.lost_nobody(), "{report:?}");
        assert_eq!(outcomes(clients), (CLIENTS, 0));
    });
}

#[test]
fn an_accepted_connection_keeps_no_filter() {
    everywhere(|site| {
        administrator();
        let listener = site.alone();
        let mut clients: Vec<TcpStream> =
            site.doors().map(|door| TcpStream::connect(door).expect("a connection")).collect();
        let report =
            close_draining(listener, Successor::None, Instant::now() + PATIENCE, |mut stream| {
                assert!(!listener::has_filter(&stream).expect("SO_GET_FILTER"));
                stream.write_all(&vec![b'x'; 100_000]).expect("more than one segment");
            });
        assert_eq!(report.expect("a report").accepted, clients.len() as u64);
        for client in &mut clients {
            let mut heard = Vec::new();
            assert_eq!(client.read_to_end(&mut heard).expect("everything"), 100_000);
        }
    });
}

#[test]
fn an_ordinary_user_ends_a_server_without_loss_to_those_who_wait() {
    everywhere(|site| {
        ordinary_user("0");
        let listener = site.alone();
        let clients = site.queued(&listener);
        let report = drain(listener, Successor::None);
        // A filter on a TCP socket needed no privilege before 2026.
        assert!(matches!(report.method, Method::SynFilter | Method::TtlFloor), "{report:?}");
        assert!(report.lost_nobody(), "{report:?}");
        assert_eq!(outcomes(clients), (CLIENTS, 0));
    });
}

#[test]
fn with_tcp_migrate_req_the_sibling_gets_who_waits() {
    everywhere(|site| {
        ordinary_user("1");
        let listener = site.of_group();
        let clients = site.queued(&listener);
        let sibling = site.of_group();
        undisturbed(|| drop(listener));
        assert_eq!(serve_queue(&sibling), CLIENTS);
        assert_eq!(outcomes(clients), (CLIENTS, 0));
    });
}

/// Drains it with a successor's place that is its own, while another client comes for each that is served, up to so many.
fn steered_to_itself(
    site: Site,
    listener: TcpListener,
    clients: &mut Vec<TcpStream>,
    most: usize,
) -> DrainReport {
    let itself = Successor::SameGroup { index: 0 };
    let deadline = Instant::now() + PATIENCE;
    let serve = |stream| {
        if clients.len() < most {
            clients.push(TcpStream::connect(site.door(clients.len())).expect("no gap"));
            let newest = clients.len() - 1;
            ask(&mut clients[newest..]);
        }
        answer(stream);
    };
    close_draining(listener, itself, deadline, serve).expect("a report")
}

#[test]
fn steered_to_itself_by_mistake_it_leaves_who_waits_to_the_sibling_by_migration() {
    everywhere(|site| {
        ordinary_user("1");
        let listener = site.of_group();
        let mut clients = site.queued(&listener);
        let sibling = site.of_group();
        let report = steered_to_itself(site, listener, &mut clients, usize::MAX);
        assert_eq!(report.method, Method::Migrated, "{report:?}");
        assert!(!report.lost_nobody(), "a handshake that ends in that very moment can be lost");
        let all = clients.len() as u32;
        assert_eq!(u64::from(serve_queue(&sibling)) + report.accepted, u64::from(all));
        assert_eq!(outcomes(clients), (all, 0));
    });
}

/// Nobody who comes now, by whatever address, hears anything.
fn assert_silence(site: Site) {
    for door in site.doors() {
        let late = TcpStream::connect_timeout(&door, SHORTLY).expect_err("silence");
        assert_eq!(late.kind(), ErrorKind::TimedOut, "at {door}");
    }
}

#[test]
fn who_comes_while_a_server_ends_hears_nothing_yet() {
    for enter in [administrator as fn(), || ordinary_user("0")] {
        everywhere(|site| {
            enter();
            let listener = site.alone();
            let clients = site.queued(&listener);
            let mut told = Some(site);
            let deadline = Instant::now() + PATIENCE;
            let report = close_draining(listener, Successor::None, deadline, |stream| {
                if let Some(site) = told.take() {
                    assert_silence(site);
                }
                answer(stream);
            });
            let report = report.expect("a report");
            assert!(matches!(report.method, Method::SynFilter | Method::TtlFloor), "{report:?}");
            assert_eq!(report.accepted, u64::from(CLIENTS), "{report:?}");
            assert!(report.lost_nobody(), "{report:?}");
            assert_eq!(outcomes(clients), (CLIENTS, 0));
        });
    }
}

/// An ordinary user's end of a server, as it is where the kernel wants a privilege for filters.
#[test]
fn a_ttl_floor_serves_who_waits_and_is_silent_to_who_comes_later() {
    everywhere(|site| {
        ordinary_user("0");
        let listener = site.alone();
        let clients = site.queued(&listener);
        listener::raise_ttl_floor(&listener).expect("IP_MINTTL");
        assert_silence(site);
        assert_eq!(serve_queue(&listener), CLIENTS);
        assert_eq!(outcomes(clients), (CLIENTS, 0));
    });
}

/// Systems that begin at 255, in the same network, come over the floor.
#[test]
fn who_comes_over_the_floor_is_served_and_told() {
    everywhere(|site| {
        ordinary_user_of_high_ttls();
        let listener = site.alone();
        let mut clients = site.queued(&listener);
        let deadline = Instant::now() + PATIENCE;
        let report = close_draining(listener, Successor::None, deadline, |stream| {
            if clients.len() < 2 * CLIENTS as usize
                && let Ok(late) = TcpStream::connect_timeout(&site.door(clients.len()), SHORTLY)
            {
                let mut late = [late];
                ask(&mut late);
                clients.extend(late);
            }
            answer(stream);
        });
        let report = report.expect("a report");
        // Before 2026 everybody could filter.
        let all = if report.method == Method::SynFilter { CLIENTS } else { 2 * CLIENTS };
        assert!(matches!(report.method, Method::SynFilter | Method::AcceptLoop), "{report:?}");
        assert_eq!(report.lost_nobody(), report.method == Method::SynFilter, "{report:?}");
        assert_eq!(report.accepted, u64::from(all), "{report:?}");
        assert_eq!(outcomes(clients), (all, 0));
    });
}

#[test]
fn a_floor_of_the_programs_own_stays_with_its_connections() {
    everywhere(|site| {
        ordinary_user("0");
        let listener = site.alone();
        let clients = site.queued(&listener);
        listener::raise_ttl_floor(&listener).expect("IP_MINTTL");
        let mut kept = 0;
        let report =
            close_draining(listener, Successor::None, Instant::now() + PATIENCE, |stream| {
                // These were there before the floor was.
                assert!(!listener::has_ttl_floor(&stream).expect("IP_MINTTL"));
                kept += 1;
                answer(stream);
            });
        let report = report.expect("a report");
        assert!(matches!(report.method, Method::SynFilter | Method::AcceptLoop), "{report:?}");
        assert_eq!(report.lost_nobody(), report.method == Method::SynFilter, "{report:?}");
        assert_eq!((kept, outcomes(clients)), (CLIENTS, (CLIENTS, 0)));
    });
}

const PATIENCE: Duration = Duration::from_secs(20);
/// Within this host, before a client tries again.
const SHORTLY: Duration = Duration::from_millis(50);
