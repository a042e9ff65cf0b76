//! Holders, options, trial binds and namespaces against the running kernel, each test in a network namespace of its own.
//! Needs root.

use lastack_model::bind::{Options, Request};
use lastack_model::errno::Errno;
use lastack_model::facts::{Descriptor, Inheritance, Socket, Transport, TrialOutcome};
use lastack_model::ids::{Inode, Pid, Port, Uid};
use lastack_model::truth::Truth;
use lastack_os::act::destroy::Destroyed;
use lastack_os::act::disconnect::disconnect;
use lastack_os::sock_diag::{self, Filter};
use lastack_os::trial::TrialUser;
use lastack_os::{holders, namespace, options, trial};
use rustix::io::{FdFlags, IoSlice, fcntl_setfd};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
    sendmsg, socketpair, sockopt,
};
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Runs a test in a network namespace of its own, loopback up.
fn alone<T: Send>(test: impl FnOnce() -> T + Send) -> T {
    let resident = Running::in_a_new_namespace();
    let own = namespace::of_process(resident.pid()).expect("its namespace");
    namespace::within(&own, test).expect("the namespace is entered: run as root")
}

/// One test at a time: a child that another test starts meanwhile would inherit this one's listener.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn inode(socket: impl AsFd) -> Inode {
    Inode(rustix::fs::fstat(socket).expect("fstat").st_ino)
}

/// A listener that children inherit.
fn shared_listener() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    fcntl_setfd(&listener, FdFlags::empty()).expect("close-on-exec off");
    listener
}

/// A child that is stopped when the test ends.
struct Running(Child);

impl Running {
    fn sleep() -> Self {
        Self(Command::new("sleep").arg("60").spawn().expect("sleep runs"))
    }

    /// A sleeper in a network namespace of its own, once that is ready.
    fn in_a_new_namespace() -> Self {
        let script = "ip link set lo up && echo ready && exec sleep 60";
        let mut child = Command::new("unshare")
            .args(["--net", "sh", "-c", script])
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare runs");
        let mut line = String::new();
        let out = child.stdout.take().expect("a pipe");
        BufReader::new(out).read_line(&mut line).expect("a line");
        assert_eq!(line, "ready\n", "a network namespace needs CAP_SYS_ADMIN: run as root");
        Self(child)
    }

    fn pid(&self) -> Pid {
        Pid(self.0.id())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().expect("the child is stopped");
        self.0.wait().expect("the child is reaped");
    }
}

fn own_pid() -> Pid {
    Pid(std::process::id())
}

fn request(address: IpAddr, port: u16) -> Request {
    Request {
        transport: Transport::Tcp,
        address,
        port: Port(port),
        options: Options::default(),
        uid: Uid(0),
        may_bind_reserved: true,
    }
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[test]
fn every_process_that_shares_a_listener_is_found_and_the_children_inherited_it() {
    let _turn = turn();
    let listener = shared_listener();
    let children = [Running::sleep(), Running::sleep()];
    let search = holders::find(&[inode(&listener)]).expect("a search");
    let mut pids: Vec<Pid> = search.holders.iter().map(|holder| holder.process.pid).collect();
    pids.sort();
    let mut expected = vec![own_pid(), children[0].pid(), children[1].pid()];
    expected.sort();
    assert_eq!(pids, expected);
    assert!(search.unseen.is_empty(), "{:?}", search.unseen);
    for holder in &search.holders {
        let inherited = holder.inheritance == Inheritance::FromAncestor(own_pid());
        assert_eq!(inherited, holder.process.pid != own_pid(), "{holder:?}");
    }
}

#[test]
fn a_listener_inherited_from_a_parent_that_died_is_likely_inherited() {
    let _turn = turn();
    let listener = shared_listener();
    let wanted = inode(&listener);
    // The shell leads a session of its own, leaves a sleeper behind and ends.
    let mut shell = Command::new("setsid")
        .args(["--wait", "sh", "-c", "sleep 60 >/dev/null & echo $!"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("setsid runs");
    let mut line = String::new();
    BufReader::new(shell.stdout.take().expect("a pipe")).read_line(&mut line).expect("a pid");
    shell.wait().expect("the shell ends");
    drop(listener);
    let sleeper: u32 = line.trim().parse().expect("the sleeper's pid");
    let search = holders::find(&[wanted]);
    let pid = rustix::process::Pid::from_raw(sleeper.cast_signed()).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("the sleeper ends");
    let search = search.expect("a search");
    let [holder] = search.holders.as_slice() else { panic!("{search:?}") };
    assert_eq!(holder.process.pid, Pid(sleeper));
    assert!(matches!(holder.inheritance, Inheritance::Likely(_)), "{holder:?}");
}

#[test]
fn a_descriptor_in_flight_is_found_in_the_socket_that_carries_it() {
    let _turn = turn();
    let (ours, theirs) = pair();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let wanted = inode(&listener);
    send(&ours, &listener);
    drop(listener);
    let search = holders::find(&[wanted]).expect("a search");
    let number = std::os::fd::AsRawFd::as_raw_fd(&theirs);
    let [unseen] = search.unseen.as_slice() else { panic!("{search:?}") };
    let queue = format!("pid {} fd {number}", own_pid());
    assert!(unseen.why.contains(&queue), "{unseen:?}");
    // Another program of this host may have descriptors in flight at the same moment; then nobody is named.
    if !unseen.why.contains(", pid ") {
        let [holder] = search.holders.as_slice() else { panic!("{search:?}") };
        assert_eq!(holder.process.pid, own_pid());
        assert_eq!(holder.descriptor, Descriptor::InFlight { carrier: number });
    }
}

#[test]
fn a_socket_that_nobody_has_is_said_to_be_out_of_sight() {
    let _turn = turn();
    let search = holders::find(&[Inode(u64::MAX)]).expect("a search");
    assert!(search.holders.is_empty(), "{search:?}");
    assert_eq!(search.unseen.len(), 1, "{search:?}");
}

#[test]
fn the_options_of_a_childs_socket_are_read() {
    let _turn = turn();
    let listener = shared_listener();
    sockopt::set_socket_reuseport(&listener, true).expect("SO_REUSEPORT");
    let wanted = inode(&listener);
    let child = Running::sleep();
    drop(listener);
    let search = holders::find(&[wanted]).expect("a search");
    let holder = search.holders.iter().find(|h| h.process.pid == child.pid()).expect("the child");
    let read = options::read(holder).expect("the options");
    assert_eq!(
        (read.reuse_address, read.reuse_port, read.v6only),
        (Truth::Yes, Truth::Yes, Truth::No)
    );
}

#[test]
fn a_descriptor_number_that_means_another_socket_now_is_refused() {
    let _turn = turn();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let search = holders::find(&[inode(&listener)]).expect("a search");
    let mut holder = search.holders.first().expect("a holder").clone();
    holder.inode = Inode(holder.inode.0 + 1_000_000);
    let error = options::read(&holder).expect_err("another socket");
    assert_eq!(error.cause().raw_os_error(), Some(libc::ESTALE), "{error}");
}

#[test]
fn a_trial_bind_answers_what_the_kernel_would() {
    let _turn = turn();
    alone(|| {
        let _listener = TcpListener::bind("127.0.0.1:8080").expect("a listener");
        let ask = |request: &Request| trial::bind(request, TrialUser::Caller);
        let taken = request(LOOPBACK, 8080);
        assert_eq!(ask(&taken), TrialOutcome::Refused(Errno::from_raw(libc::EADDRINUSE)));
        assert_eq!(ask(&request(LOOPBACK, 8081)), TrialOutcome::Bound);
        assert_eq!(
            ask(&Request { transport: Transport::Udp, ..taken.clone() }),
            TrialOutcome::Bound
        );
        let foreign = request(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 8081);
        assert_eq!(ask(&foreign), TrialOutcome::Refused(Errno::from_raw(libc::EADDRNOTAVAIL)));
        let free = Options { free_bind: true, ..Options::default() };
        assert_eq!(ask(&Request { options: free, ..foreign }), TrialOutcome::Bound);
        let foreign6 = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
        assert_eq!(ask(&Request { options: free, ..request(foreign6, 8081) }), TrialOutcome::Bound);
        let dual = request(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 8080);
        assert_eq!(ask(&dual), TrialOutcome::Refused(Errno::from_raw(libc::EADDRINUSE)));
        let v6only = Options { v6only: true, ..Options::default() };
        assert_eq!(ask(&Request { options: v6only, ..dual }), TrialOutcome::Bound);
    });
}

#[test]
fn another_user_is_refused_a_reserved_port_unless_given_the_capability() {
    let _turn = turn();
    alone(|| {
        let http = request(LOOPBACK, 80);
        let nobody = TrialUser::User { uid: 65534, gid: 65534 };
        assert_eq!(
            trial::bind(&http, nobody),
            TrialOutcome::Refused(Errno::from_raw(libc::EACCES))
        );
        let serving = |capabilities| TrialUser::UserWith { uid: 65534, gid: 65534, capabilities };
        assert_eq!(trial::bind(&http, serving(1 << 10)), TrialOutcome::Bound);
        assert_eq!(
            trial::bind(&http, serving(1 << 12)),
            TrialOutcome::Refused(Errno::from_raw(libc::EACCES))
        );
        let bare_root = TrialUser::User { uid: 0, gid: 0 };
        assert_eq!(
            trial::bind(&http, bare_root),
            TrialOutcome::Refused(Errno::from_raw(libc::EACCES))
        );
        assert_eq!(trial::bind(&http, TrialUser::CallerOwning(65534)), TrialOutcome::Bound);
        assert_eq!(
            trial::bind(&http, TrialUser::Caller),
            TrialOutcome::Bound,
            "this thread is still root"
        );
    });
}

#[test]
fn a_closure_runs_inside_the_namespace_of_another_process() {
    let _turn = turn();
    let child = Running::in_a_new_namespace();
    let theirs = namespace::of_process(child.pid()).expect("its namespace");
    assert_ne!(theirs.id, namespace::of_process(own_pid()).expect("ours").id);
    let inside = namespace::within(&theirs, || {
        std::fs::metadata("/proc/thread-self/ns/net")
            .map(|file| std::os::unix::fs::MetadataExt::ino(&file))
    });
    assert_eq!(inside.expect("entered").expect("its inode"), theirs.id.0);
    let listed = namespace::list().expect("a listing");
    let found = listed.namespaces.iter().find(|known| known.id == theirs.id).expect("listed");
    assert_eq!(found.resident, Some(child.pid()));
}

#[test]
fn a_namespaces_listeners_are_read_from_a_residents_tables() {
    let _turn = turn();
    let child = Running::in_a_new_namespace();
    let theirs = namespace::of_process(child.pid()).expect("its namespace");
    let listeners = namespace::within(&theirs, || {
        [TcpListener::bind("127.0.0.1:8080"), TcpListener::bind("[::1]:8080")]
            .map(|bound| bound.expect("a listener"))
    })
    .expect("entered");
    let found = namespace::listeners_from_proc(child.pid(), Transport::Tcp, Port(8080));
    let found = found.expect("the tables");
    let seen: Vec<_> = found.iter().map(|socket| (Some(socket.local), socket.inode)).collect();
    let expected =
        listeners.each_ref().map(|listener| (listener.local_addr().ok(), Some(inode(listener))));
    assert_eq!(seen, expected);
    assert!(found.iter().all(|socket| socket.uid == Some(Uid(0))), "{found:?}");
    let other = namespace::listeners_from_proc(child.pid(), Transport::Tcp, Port(8081));
    assert!(other.expect("the tables").is_empty());
}

#[test]
fn an_unknown_name_is_refused_with_where_it_was_looked_for() {
    let _turn = turn();
    let error = namespace::by_name("nowhere").expect_err("no such name");
    assert!(error.to_string().contains("/run/netns/nowhere"), "{error}");
    assert!(error.to_string().contains("ip netns list"), "{error}");
}

fn pair() -> (OwnedFd, OwnedFd) {
    socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).expect("a pair")
}

fn send(over: &OwnedFd, socket: &TcpListener) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let sent = [socket.as_fd()];
    assert!(control.push(SendAncillaryMessage::ScmRights(&sent)));
    sendmsg(over, &[IoSlice::new(b"x")], &mut control, SendFlags::empty()).expect("sent");
}

#[test]
fn a_held_connection_is_ended_through_its_holder_and_its_port_is_free_at_once() {
    let _turn = turn();
    alone(|| {
        let listener = TcpListener::bind("127.0.0.1:8080").expect("a listener");
        let mut peer = TcpStream::connect("127.0.0.1:8080").expect("a connection");
        let (mut accepted, _) = listener.accept().expect("accepted");
        drop(listener);
        let wanted = inode(&accepted);
        let found = holders::find(&[wanted]).expect("a search").holders;
        let dump = sock_diag::fold(
            &Filter::on_port(Transport::Tcp, Port(8080)),
            |all: &mut Vec<Socket>, socket| all.push(socket),
        );
        let sockets = dump.expect("a dump").folded;
        let connection = sockets.iter().find(|s| s.inode == Some(wanted)).expect("the connection");
        let bind = || trial::bind(&request(LOOPBACK, 8080), TrialUser::Caller);
        assert_eq!(bind(), TrialOutcome::Refused(Errno::AddressInUse));

        let elsewhere =
            Socket { remote: Some(peer.peer_addr().expect("an end")), ..connection.clone() };
        let spared = disconnect(&found[0], &elsewhere).expect("no error");
        assert_eq!(spared, Destroyed::Gone, "a descriptor that means another connection by now");

        assert_eq!(disconnect(&found[0], connection).expect("ended"), Destroyed::Now);
        assert_eq!(bind(), TrialOutcome::Bound);
        let kind = |error: std::io::Error| error.kind();
        assert_eq!(peer.read(&mut [0]).map_err(kind), Err(ErrorKind::ConnectionReset));
        assert_eq!(accepted.read(&mut [0]).map_err(kind), Err(ErrorKind::ConnectionReset));
        assert_eq!(disconnect(&found[0], connection).expect("no error"), Destroyed::Gone);
    });
}
