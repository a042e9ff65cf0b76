//! Hand-overs under load: clients come without a pause while one listener follows another, and none may fail.

use crate::scene::ordinary_user;
use lastack_lab::handover::{self, Way};

/// Hands the address over again and again while clients come; how many were answered and how many not.
fn handed_over(way: Way) -> (u64, u64) {
    ordinary_user("0");
    let first = handover::listening();
    let clients = std::thread::spawn(|| handover::clients(REQUESTS, 8).1);
    let mut failed = 0;
    let answered = handover::serve(first, way, HAND_OVERS, REQUESTS / (HAND_OVERS + 1), || {
        failed = clients.join().expect("clients that end");
    });
    (answered, failed)
}

#[test]
fn no_request_fails_while_an_ordinary_user_steers_from_listener_to_listener() {
    assert_eq!(handed_over(Way::Steered), (REQUESTS, 0));
}

#[test]
fn no_request_fails_while_an_ordinary_user_passes_one_socket_on() {
    assert_eq!(handed_over(Way::Shared), (REQUESTS, 0));
}

const HAND_OVERS: u64 = 40;
const REQUESTS: u64 = 20_000;
