use super::*;
use crate::ids::{Cookie, Uid};
use crate::state::State;
use crate::truth::Truth;
use proptest::prelude::*;
use std::collections::HashSet;
use std::net::{Ipv6Addr, SocketAddr};

fn connection(inode: u64) -> Socket {
    let local = SocketAddr::from((Ipv6Addr::LOCALHOST, 80));
    Socket { inode: Some(Inode(inode)), ..Socket::closed(Transport::Tcp, local) }
}

fn options(v6only: Truth) -> SocketOptions {
    SocketOptions { reuse_address: Truth::Yes, reuse_port: Truth::No, v6only }
}

fn learned(inode: Inode, options: SocketOptions) -> HashMap<Inode, SocketOptions> {
    HashMap::from([(inode, options)])
}

#[test]
fn a_socket_that_leaves_its_group_keeps_what_it_has_to_itself() {
    let own = |number: u64| Socket {
        cookie: Cookie(number),
        remote: Some(SocketAddr::from((Ipv6Addr::LOCALHOST, 5000 + number as u16))),
        send_queue: number as u32,
        ..connection(number)
    };
    let mut sockets = Sockets::default();
    (1..=3).for_each(|number| sockets.add(own(number)));
    sockets.learn_options(&learned(Inode(1), options(Truth::Yes)));
    sockets.learn_options(&learned(Inode(3), options(Truth::No)));
    for group in sockets.groups() {
        let number = group.inodes[0].0;
        let Socket { cookie, remote, .. } = group.example;
        assert_eq!((cookie, remote), (own(number).cookie, own(number).remote));
        assert_eq!(
            (group.unacknowledged, &group.remotes[..]),
            (number, &[remote.expect("set")][..])
        );
    }
    assert_eq!(sockets.groups().len(), 3);
}

#[test]
fn a_socket_whose_options_are_learned_leaves_its_group() {
    let mut sockets = Sockets::default();
    sockets.add(connection(1));
    sockets.add(connection(2));
    sockets.learn_options(&learned(Inode(2), options(Truth::Yes)));
    let counts: Vec<u64> = sockets.groups().iter().map(|group| group.count).collect();
    assert_eq!(counts, [1, 1]);
    assert_eq!(sockets.groups()[0].inodes, [Inode(1)]);
    assert_eq!(sockets.groups()[1].example.options, options(Truth::Yes));
}

#[test]
fn v6only_is_learned_when_it_is_off_too_but_never_against_the_dump() {
    let read = |shown, read| {
        let mut sockets = Sockets::default();
        sockets.add(Socket { v6only: shown, ..connection(1) });
        sockets.learn_options(&learned(Inode(1), options(read)));
        sockets.groups()[0].example.v6only
    };
    assert_eq!(read(Truth::Unknown, Truth::No), Truth::No);
    assert_eq!(read(Truth::Unknown, Truth::Yes), Truth::Yes);
    assert_eq!(read(Truth::No, Truth::Yes), Truth::No);
}

/// A connection in its final wait, from a client of that number to one of these addresses of a server.
fn waiting(server: u8, client: u32, remaining_ms: u32) -> Socket {
    let local = SocketAddr::from(([127, 0, 0, server], 8080));
    let remote = SocketAddr::from((client.to_be_bytes(), 40_000));
    Socket {
        remote: Some(remote),
        state: State::TimeWait,
        kind: Kind::Minisock,
        timer: Timer { kind: TimerKind::TimeWait, remaining_ms, retransmits: 0 },
        ..Socket::closed(Transport::Tcp, local)
    }
}

#[test]
fn as_many_alike_sockets_as_there_may_be_take_the_room_of_one() {
    let mut sockets = Sockets::default();
    for client in 0..300_000 {
        sockets.add(waiting(1, client, 1000 + client % 59_000));
    }
    let [group] = sockets.groups() else { panic!("{} groups", sockets.groups().len()) };
    assert_eq!(group.count, 300_000);
    assert_eq!(group.expiry, Some(Expiry { first_ms: 1000, last_ms: 59_999 }));
    assert!(group.remotes.capacity() <= 8, "{} remotes kept", group.remotes.capacity());
    assert_eq!(group.inodes.capacity(), 0, "a minisock has no inode to keep");
    assert_eq!(sockets.index.len(), 1);
}

#[test]
fn sockets_of_more_addresses_than_are_remembered_still_find_their_groups() {
    let mut sockets = Sockets::default();
    let servers = RECENT as u8 + 3;
    for client in 0..700 {
        sockets.add(waiting((client % u32::from(servers)) as u8, client, 1));
    }
    let counts: Vec<u64> = sockets.groups().iter().map(|group| group.count).collect();
    assert_eq!(counts, vec![700 / u64::from(servers); usize::from(servers)]);
}

#[test]
fn two_listeners_that_differ_in_nothing_else_are_two_groups() {
    let mut sockets = Sockets::default();
    for cookie in [1, 2, 1] {
        let listener = Socket { state: State::Listen, ..connection(cookie) };
        sockets.add(Socket { cookie: Cookie(cookie), ..listener });
    }
    let counts: Vec<u64> = sockets.groups().iter().map(|group| group.count).collect();
    assert_eq!(counts, [2, 1]);
}

#[test]
fn a_group_that_loses_its_last_member_is_gone_and_those_behind_it_still_grow() {
    let mut sockets = Sockets::default();
    sockets.add(connection(1));
    sockets.add(waiting(1, 1, 1));
    sockets.learn_options(&learned(Inode(1), options(Truth::No)));
    sockets.add(waiting(1, 2, 1));
    sockets.add(connection(2));
    let counts: Vec<u64> = sockets.groups().iter().map(|group| group.count).collect();
    assert_eq!(counts, [2, 1, 1], "{:?}", sockets.groups());
    assert_eq!(sockets.groups()[1].example.options, options(Truth::No));
}

/// Sockets of which some are alike: the numbers choose among few of each.
fn any_socket() -> impl Strategy<Value = Socket> {
    (0..7_u8, any::<u32>(), 0..40_u64, any::<bool>()).prop_map(
        |(server, client, inode, is_held)| {
            if is_held {
                let uid = Some(Uid(u32::from(server % 2)));
                Socket { uid, ..connection(u64::from(client) << 8 | inode) }
            } else {
                waiting(server, client, 1)
            }
        },
    )
}

proptest! {
    #[test]
    fn no_socket_is_lost_or_counted_twice(
        added in proptest::collection::vec(any_socket(), 0..60),
        answers in proptest::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..6),
    ) {
        let mut sockets = Sockets::default();
        for socket in &added {
            sockets.add(socket.clone());
        }
        for (which, answer) in answers {
            let inodes: Vec<Inode> = added.iter().filter_map(|socket| socket.inode).collect();
            if !inodes.is_empty() {
                sockets.learn_options(&learned(*which.get(&inodes), options(Truth::from(answer))));
            }
        }
        prop_assert_eq!(sockets.count(), added.len() as u64);
        let mut kept: Vec<Inode> =
            sockets.groups().iter().flat_map(|group| group.inodes.clone()).collect();
        let mut given: Vec<Inode> = added.iter().filter_map(|socket| socket.inode).collect();
        kept.sort_unstable();
        given.sort_unstable();
        prop_assert_eq!(kept, given);
        let likenesses: HashSet<_> =
            sockets.groups().iter().map(|group| group.example.likeness()).collect();
        prop_assert_eq!(likenesses.len(), sockets.groups().len(), "two groups of one likeness");
    }
}
