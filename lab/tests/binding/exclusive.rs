//! What is exclusive no other user gets: in every gap, every way in is tried by another user, and beside it the gap is
//! shown to be there without.

use crate::scene::{
    ANY, ANY_V6, LOCAL, LOCAL_V6, PORT, VICTIM, as_user, attempts, gone, silence, steal, ways_in,
};
use lastack_graceful::bind::{Bind, Families, Reason};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::{NOBODY, run};
use lastack_lab::sockets;
use lastack_lab::states::on_port;
use rustix::fd::OwnedFd;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

fn victims(wanted: &Bind) -> Vec<TcpListener> {
    as_user(VICTIM, || wanted.listen_all()).expect("the victim's listeners")
}

#[test]
fn between_bind_and_listen_the_default_lets_another_user_in_and_exclusive_nobody() {
    let _namespace = Namespace::enter();
    let bound = as_user(VICTIM, || Bind::everywhere(PORT).bound()).expect("bound");
    let thief = ways_in().into_iter().find_map(|way| steal(&way).ok()).expect("a way in");
    sockets::listen(&thief, 1).expect("the thief is first");
    let error = as_user(VICTIM, || bound.listen()).expect_err("too late");
    assert_eq!(error.reason(), Reason::AddressInUse);
    assert!(error.to_string().contains(" listens on "), "{error}");
    drop(thief);

    for families in [Families::OneSocket, Families::TwoSockets] {
        let wanted = Bind::to(ANY).exclusive().families(families);
        let bound = as_user(VICTIM, || wanted.bound()).expect("bound");
        assert_eq!(ways_in(), []);
        let listeners = as_user(VICTIM, || bound.listen()).expect("nobody is before it");
        assert_eq!(ways_in(), [], "nor while it listens");
        drop(listeners);
        silence(PORT);
    }
    assert_eq!(ways_in().len(), attempts().count(), "each of them works on a free port");
}

#[test]
fn a_program_of_another_user_does_not_get_in_either() {
    let _namespace = Namespace::enter();
    let try_it = || {
        let script = "import socket, sys\n\
                      for option in (None, socket.SO_REUSEADDR, socket.SO_REUSEPORT):\n    \
                      s = socket.socket()\n    \
                      if option: s.setsockopt(socket.SOL_SOCKET, option, 1)\n    \
                      try: s.bind(('0.0.0.0', 8080)); s.listen(); print('in', end=' ')\n    \
                      except OSError as e: print(e.errno, end=' ')\n    \
                      s.close()";
        let mut command = Command::new("/usr/bin/python3");
        let ran = run(command.args(["-c", script]).current_dir("/").uid(NOBODY).gid(NOBODY));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran.stdout
    };
    let bound = as_user(VICTIM, || Bind::to(ANY).bound()).expect("bound");
    assert_eq!(try_it(), "98 in 98 ", "by SO_REUSEADDR");
    drop(bound);
    let bound = as_user(VICTIM, || Bind::to(ANY).exclusive().bound()).expect("bound");
    assert_eq!(try_it(), "98 98 98 ");
    let _listening = as_user(VICTIM, || bound.listen()).expect("listeners");
    assert_eq!(try_it(), "98 98 98 ");
}

#[test]
fn the_other_family_is_taken_too() {
    let _namespace = Namespace::enter();
    for (asked, other) in [(ANY, ANY_V6), (LOCAL, LOCAL_V6), (LOCAL_V6, LOCAL)] {
        let open = victims(&Bind::to(asked));
        assert!(!ways_in().is_empty(), "{asked} leaves the other family open");
        drop(open);
        let listeners = victims(&Bind::to(asked).exclusive());
        let have: Vec<SocketAddr> =
            listeners.iter().map(|it| it.local_addr().expect("an address")).collect();
        assert_eq!(have, [asked, other]);
        let reached = [LOCAL, LOCAL_V6].map(|to| TcpStream::connect(to).is_ok());
        assert_eq!(reached, [true, true], "both serve");
        // A loopback address does not keep the wildcard's other addresses, and cannot.
        let at_ours =
            |way: &lastack_model::bind::Request| have.iter().any(|it| it.ip() == way.address);
        assert!(!ways_in().iter().any(at_ours), "{:?}", ways_in());
    }
}

#[test]
fn a_second_server_of_the_same_user_is_refused_unless_it_is_a_group() {
    let _namespace = Namespace::enter();
    let wanted = Bind::to(ANY).exclusive();
    let first = victims(&wanted);
    for second in [wanted.clone(), Bind::to(LOCAL).exclusive()] {
        let error = as_user(VICTIM, || second.listen_all()).expect_err("a second server");
        assert_eq!(error.reason(), Reason::AddressInUse);
        assert!(error.to_string().contains(" listens on 0.0.0.0:8080"), "{error}");
    }
    assert_eq!(on_port(PORT).len(), 2, "nothing is left of the attempts");
    let beside = victims(&wanted.clone().group());
    assert_eq!(ways_in(), [], "another user is no member");
    drop((first, beside));
    victims(&wanted);
}

#[test]
fn while_connections_of_the_old_server_remain_only_its_user_gets_in() {
    let _namespace = Namespace::enter();
    let wanted = Bind::to(ANY).exclusive().families(Families::OneSocket);
    let old = victims(&wanted);
    let _client = TcpStream::connect(LOCAL).expect("connected");
    let held: OwnedFd = as_user(VICTIM, || old[0].accept()).expect("a connection").0.into();
    drop(old);
    // A connection is alive: no other user gets in, its own does.
    let at_v4: Vec<_> = ways_in().into_iter().filter(|way| way.address.is_ipv4()).collect();
    assert_eq!(at_v4, []);
    let listeners = victims(&wanted);
    assert_eq!(ways_in(), []);
    drop((listeners, held));
}

#[test]
fn where_time_wait_alone_remains_the_way_of_the_thief_is_narrow_and_known() {
    let _namespace = Namespace::enter();
    gone(&Bind::to(ANY));
    let by_default = ways_in();
    assert!(by_default.iter().all(|way| way.options.reuse_address || way.address.is_ipv6()));
    assert!(by_default.iter().any(|way| way.options.reuse_address && way.address == ANY.ip()));

    let _namespace = Namespace::enter();
    let wanted = Bind::to(ANY).exclusive();
    gone(&wanted);
    let at_wildcard = |way: &&lastack_model::bind::Request| way.address == ANY.ip();
    let left: Vec<bool> =
        ways_in().iter().filter(at_wildcard).map(|way| way.options.reuse_port).collect();
    assert_eq!(left, [true, true], "by SO_REUSEPORT, which a TIME_WAIT shares with any user");
    // The server's own user is back at once, and then nobody gets in.
    let _new = victims(&wanted);
    assert_eq!(ways_in(), []);
}
