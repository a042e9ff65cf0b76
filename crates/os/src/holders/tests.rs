use super::*;
use crate::sys;
use proptest::prelude::*;

#[test]
fn a_link_names_a_socket_only_in_the_kernels_own_form() {
    assert_eq!(parse_socket_link(b"socket:[12345]"), Some(12345));
    for other in ["socket:[]", "socket:[12", "socket:[1a]", "pipe:[12345]", "/tmp/socket:[1]", ""] {
        assert_eq!(parse_socket_link(other.as_bytes()), None, "{other}");
    }
    assert_eq!(parse_socket_link(b"socket:[99999999999999999999]"), None, "beyond 64 bits");
}

#[test]
fn the_fields_of_fdinfo_are_read_by_name() {
    let text = "pos:\t0\nflags:\t02000002\nmnt_id:\t10\nino:\t7\nscm_fds: 3\n";
    assert_eq!(parse_fdinfo(text, "flags:"), Some("02000002"));
    assert_eq!(parse_fdinfo(text, "scm_fds:"), Some("3"));
    assert_eq!(parse_fdinfo(text, "locks:"), None);
}

/// As a user without rights, whatever this test runs as.
fn unprivileged<T: Send>(act: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            sys::set_thread_user(65534, 65534)
                .expect("another user: needs CAP_SETUID, run as root");
            act()
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[test]
fn processes_that_hide_their_descriptors_are_counted_and_said() {
    let search = unprivileged(|| find(&[Inode(u64::MAX)])).expect("a search");
    let [hidden, missing] = search.unseen.as_slice() else { panic!("{search:?}") };
    assert!(hidden.what.starts_with("the descriptors of "), "{hidden:?}");
    assert!(hidden.remedy.contains("CAP_SYS_PTRACE"), "{hidden:?}");
    assert!(missing.why.contains("not readable"), "{missing:?}");
}

#[test]
fn ones_own_listener_is_found_with_its_descriptor() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
    let inode = Inode(rustix::fs::fstat(&listener).expect("fstat").st_ino);
    let search = find(&[inode, inode]).expect("a search");
    let own = |holder: &&Holder| holder.process.pid == Pid(std::process::id());
    // A child that another test starts has it too, until its exec closes it.
    let [holder] = search.holders.iter().filter(own).collect::<Vec<_>>()[..] else {
        panic!("{search:?}")
    };
    assert_eq!(holder.inode, inode);
    let number = std::os::fd::AsRawFd::as_raw_fd(&listener);
    assert_eq!(holder.descriptor, Descriptor::Open { number, close_on_exec: true });
    assert_eq!(holder.inheritance, Inheritance::NotSeen);
}

#[test]
fn what_a_process_of_another_user_holds_is_unseen_and_blamed_on_nobody() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
    let inode = Inode(rustix::fs::fstat(&listener).expect("fstat").st_ino);
    // Its standard input is the listener, so that no other test's child gets it.
    let mut child = std::process::Command::new("sleep")
        .arg("60")
        .stdin(OwnedFd::from(listener))
        .spawn()
        .expect("sleep runs");
    let (as_root, as_nobody) = (find(&[inode]), unprivileged(|| find(&[inode])));
    child.kill().and_then(|()| child.wait()).expect("the child is stopped");
    let pids = |search: &Search| -> Vec<Pid> {
        search.holders.iter().map(|holder| holder.process.pid).collect()
    };
    let as_root = as_root.expect("a search");
    assert!(pids(&as_root).contains(&Pid(child.id())), "{as_root:?}");
    let as_nobody = as_nobody.expect("a search");
    assert_eq!(pids(&as_nobody), []);
    let missing = as_nobody.unseen.last().expect("something unseen");
    assert_eq!(missing.what, "the process that holds the socket");
    assert!(missing.remedy.contains("as root"), "{missing:?}");
}

#[test]
fn queues_that_could_each_hold_the_socket_are_listed_and_nobody_is_blamed() {
    let unseen = not_found(&[7], &[(Pid(10), 3), (Pid(11), 4)], 0);
    assert!(unseen.why.contains("pid 10 fd 3, pid 11 fd 4"), "{unseen:?}");
}

#[test]
fn a_pid_that_passed_to_another_process_is_not_reported() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
    let inode = Inode(rustix::fs::fstat(&socket).expect("fstat").st_ino);
    let holder = find(&[inode]).expect("a search").holders.remove(0);
    let Descriptor::Open { number, .. } = holder.descriptor else { panic!("{holder:?}") };
    let hit = Found { pid: holder.process.pid, inode, number };
    assert!(still_there(&holder, &hit));
    let mut successor = holder.clone();
    successor.process.start_ticks += 1;
    assert!(!still_there(&successor, &hit));
    drop(socket);
    assert!(!still_there(&holder, &hit));
}

proptest! {
    #[test]
    fn no_bytes_make_the_readers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60), text in "\\PC{0,60}") {
        let _ = parse_socket_link(&bytes);
        let _ = parse_fdinfo(&text, "flags:");
    }

    #[test]
    fn every_inode_is_read_back(inode in 0..10_u64.pow(19)) {
        prop_assert_eq!(parse_socket_link(format!("socket:[{inode}]").as_bytes()), Some(inode));
    }
}
