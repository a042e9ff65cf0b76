//! One random case: sockets put on a port, a question asked, the kernel made to answer it.

use crate::bench::Bench;
use crate::exam::{Exam, Question};
use crate::stage::{Knowledge, Stage, owner};
use crate::walk::walk;
use lastack_lab::privilege::without_reserved_ports;
use lastack_lab::random::Random;
use lastack_lab::sockets::{self, Answer};
use lastack_model::bind::{Connect, Options, Request, Rules};
use lastack_model::errno::Errno;
use lastack_model::facts::{Facts, Socket, Transport, TrialOutcome};
use lastack_model::ids::{Cookie, InterfaceIndex, Port};
use lastack_model::state::State;
use lastack_model::truth::Truth;
use lastack_model::why::{Certainty, Permission, Step, why};
use lastack_os::trial::{self, TrialUser};
use rustix::fd::OwnedFd;
use rustix::net::sockopt;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// What came of a case.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The questions asked, with the kernel's answers.
    pub(crate) exams: Vec<Exam>,
    /// What a trial said where the model left a bind open, when it was allowed.
    pub(crate) trial: Option<Answer>,
    /// Whether the trial was allowed.
    pub(crate) trial_allowed: bool,
    /// Option changes that were proposed as certain, and what came of them.
    pub(crate) remedies: Vec<(Request, Answer)>,
    /// True when connections went on by themselves while the question was asked: nothing follows from the answer.
    pub(crate) moved: bool,
    /// What was done.
    pub(crate) story: Vec<String>,
}

/// Makes a case and asks its question.
pub(crate) fn examine(bench: &Bench, random: Random, transport: Transport, at: u16) -> Outcome {
    let mut random = random;
    let low = random.one_in(6);
    let port = if low { LOW_PORTS + at } else { HIGH_PORTS + at };
    let mut stage = Stage::new(bench, random, transport, port);
    walk(&mut stage);
    stage.settle();
    let mut outcome = match (transport, stage.random.below(8)) {
        (Transport::Tcp, 0) => ask_own_listen(&mut stage),
        (_, 1) if !low => Some(ask_any_port(&mut stage)),
        (Transport::Tcp, 2) => ask_connect_from(&mut stage),
        (Transport::Tcp, 3) if !low => ask_connect_without_port(&mut stage),
        _ => None,
    }
    .unwrap_or_else(|| ask_bind(&mut stage));
    outcome.story = stage.story;
    outcome
}

/// `bind()`, and when it succeeds `listen()`; when it fails, the options that would help.
fn ask_bind(stage: &mut Stage) -> Outcome {
    let request = wanted(stage);
    let mut exam = exam(stage, Question::Bind(request.clone()), Ok(()));
    exam.remembers = stage.may_remember(request.uid);
    let rules = Rules::of(exam.host.kernel);
    let undecided = exam.verdict(Knowledge::Descriptors, rules).is_none();
    let mut outcome = Outcome { trial_allowed: !stage.random.one_in(4), ..Outcome::default() };
    if undecided && outcome.trial_allowed {
        outcome.trial = Some(tried(&request));
    }
    let socket = sockets::prepare(&request);
    exam.kernel = bind_as_asked(&request, &socket);
    outcome.moved = has_moved(&exam.by_dump, &stage.glance());
    let bound = exam.kernel.is_ok();
    if bound && request.transport == Transport::Tcp && !outcome.moved {
        stage.remember_bound(&socket);
        let question = Question::Listen(request.clone(), sockets::cookie(&socket));
        let mut listening = self::exam(stage, question, Ok(()));
        listening.remembers = true;
        listening.kernel = sockets::listen(&socket, 1);
        outcome.exams.push(listening);
    }
    drop(socket);
    if !bound && !outcome.moved && request.transport == Transport::Tcp {
        outcome.remedies = try_remedies(&request, &exam);
    }
    outcome.exams.insert(0, exam);
    outcome
}

/// `listen()` on a socket that was bound during the walk.
fn ask_own_listen(stage: &mut Stage) -> Option<Outcome> {
    let dump = stage.dump();
    let bound: Vec<Cookie> =
        dump.iter().filter(|socket| can_listen(socket)).map(|socket| socket.cookie).collect();
    let cookie = (!bound.is_empty()).then(|| stage.random.pick(&bound))?;
    let own = dump.iter().find(|socket| socket.cookie == cookie)?;
    let descriptor = stage.by_cookie(cookie)?;
    let request = request_of(own, descriptor);
    let question = Question::Listen(request, cookie);
    let mut exam = exam(stage, question, Ok(()));
    exam.remembers = stage.may_remember(owner(descriptor));
    exam.kernel = sockets::listen(descriptor, 1);
    Some(of_one(exam))
}

/// `bind()` to port 0 while only this port can be chosen.
fn ask_any_port(stage: &mut Stage) -> Outcome {
    let request = Request { port: Port(0), ..wanted(stage) };
    let port = stage.port;
    let socket = sockets::prepare(&request);
    let bench = stage.bench;
    let exam = bench.with_only_port(port, || {
        let mut exam = exam(stage, Question::BindAnyPort(request.clone()), Ok(()));
        exam.kernel = bind_as_asked(&request, &socket);
        exam
    });
    let moved = has_moved(&exam.by_dump, &stage.glance());
    Outcome { moved, ..of_one(exam) }
}

/// `connect()` from a socket that is bound to the port and an address, often to one that is connected already.
fn ask_connect_from(stage: &mut Stage) -> Option<Outcome> {
    let dump = stage.dump();
    let addresses: Vec<(IpAddr, SocketAddr)> =
        dump.iter().filter_map(|s| Some((s.local.ip(), s.remote?))).collect();
    let (source, destination) = (!addresses.is_empty()).then(|| stage.random.pick(&addresses))?;
    let mut request = stage.request(&[source]);
    request.options.v6only = false;
    request.options.reuse_address = true;
    let socket = sockets::prepare(&request);
    sockets::bind(&socket, sockets::address(&request)).ok()?;
    stage.remember_bound(&socket);
    let device = request.options.device;
    let connect = Connect { destination, source, device };
    let question = Question::ConnectFrom(connect, stage.bench.timestamps);
    let mut exam = exam(stage, question, Ok(()));
    exam.kernel = only_port_counts(sockets::connect(&socket, destination))?;
    Some(of_one(exam))
}

/// `connect()` from nowhere while only this port can be chosen.
fn ask_connect_without_port(stage: &mut Stage) -> Option<Outcome> {
    let dump = stage.dump();
    let mut addresses: Vec<(IpAddr, SocketAddr)> =
        dump.iter().filter_map(|s| Some((s.local.ip(), s.remote?))).collect();
    let localhost = IpAddr::from([127, 0, 0, 1]);
    addresses.push((localhost, SocketAddr::new(localhost, Bench::SERVER)));
    let (_, destination) = stage.random.pick(&addresses);
    let mut request = stage.request(&[destination.ip()]);
    request.options.device = None;
    let socket = sockets::prepare(&request);
    let probe = sockets::open(Transport::Tcp, request.family());
    sockets::connect(&probe, destination).ok()?;
    let connect = Connect { destination, source: sockets::local(&probe).ip(), device: None };
    drop(probe);
    let (bench, port) = (stage.bench, stage.port);
    let question = Question::ConnectWithoutPort(connect, bench.timestamps);
    let exam = bench.with_only_port(port, || {
        let mut exam = exam(stage, question, Ok(()));
        exam.kernel = only_port_counts(sockets::connect(&socket, destination))?;
        Some(exam)
    })?;
    Some(of_one(exam))
}

/// A request that a program may make, or may make by mistake.
fn wanted(stage: &mut Stage) -> Request {
    let reserved = stage.port < 1024;
    let rare = stage.random.one_in(if reserved { 2 } else { 6 });
    let there: Vec<IpAddr> = stage.glance().iter().map(|socket| socket.local.ip()).collect();
    let pool = if rare {
        stage.bench.all.clone()
    } else if there.is_empty() || stage.random.one_in(2) {
        stage.bench.common.clone()
    } else {
        there
    };
    let mut request = stage.request(&pool);
    request.may_bind_reserved = !stage.random.one_in(2);
    request.options.free_bind = stage.random.one_in(16);
    if stage.random.one_in(24) {
        request.options.device = Some(NO_SUCH_DEVICE);
    }
    request
}

fn exam(stage: &Stage, question: Question, kernel: Answer) -> Exam {
    let dump = stage.dump();
    Exam {
        question,
        port: Port(stage.port),
        host: Arc::new(lastack_os::host::host().expect("the facts of this host")),
        by_descriptors: stage.informed(&dump, Knowledge::Descriptors),
        by_everything: stage.informed(&dump, Knowledge::Everything),
        by_dump: dump,
        remembers: false,
        kernel,
    }
}

fn of_one(exam: Exam) -> Outcome {
    Outcome { exams: vec![exam], ..Outcome::default() }
}

fn bind_as_asked(request: &Request, socket: &OwnedFd) -> Answer {
    let address = sockets::address(request);
    if request.may_bind_reserved {
        sockets::bind(socket, address)
    } else {
        without_reserved_ports(|| sockets::bind(socket, address))
    }
}

fn tried(request: &Request) -> Answer {
    let user = if request.may_bind_reserved {
        TrialUser::CallerOwning(request.uid.0)
    } else {
        TrialUser::User { uid: request.uid.0, gid: 0 }
    };
    match trial::bind(request, user) {
        TrialOutcome::Bound => Ok(()),
        TrialOutcome::Refused(errno) => Err(errno),
        TrialOutcome::NotTried(why) => panic!("the trial of {request:?} was not made: {why}"),
    }
}

/// Tries every change of options alone that the explanation proposes as certain.
fn try_remedies(request: &Request, exam: &Exam) -> Vec<(Request, Answer)> {
    let mut facts = Facts { host: (*exam.host).clone(), ..Facts::default() };
    for socket in &exam.by_descriptors {
        facts.holders_sought.extend(socket.inode);
        facts.sockets.add(socket.clone());
    }
    let question = lastack_model::why::Question {
        asked: request.port.to_string(),
        requests: vec![request.clone()],
        trial: Permission::Forbidden,
        elsewhere: Permission::Forbidden,
    };
    let explanation = why(&question, &facts).expect("nothing that is needed may be found out");
    let changes = explanation.remedies.iter().filter_map(|remedy| match remedy.steps[..] {
        [Step::SetOptions(change)] if remedy.certainty == Certainty::Certain => {
            change.apply(request)
        }
        _ => None,
    });
    changes
        .map(|changed| {
            let answer = bind_as_asked(&changed, &sockets::prepare(&changed));
            (changed, answer)
        })
        .collect()
}

/// Of a connect's answers only one speaks of ports; a missing route says nothing about them.
fn only_port_counts(answer: Answer) -> Option<Answer> {
    match answer {
        Err(Errno::AddressNotAvailable) => Some(answer),
        Ok(()) | Err(Errno::Other(libc::ECONNREFUSED)) => Some(Ok(())),
        Err(_) => None,
    }
}

/// Whether an old socket changed or went while the kernel answered.
fn has_moved(before: &[Socket], after: &[Socket]) -> bool {
    let after: HashMap<Cookie, _> = after.iter().map(|s| (s.cookie, (s.state, s.kind))).collect();
    before.iter().any(|s| after.get(&s.cookie) != Some(&(s.state, s.kind)))
}

fn can_listen(socket: &Socket) -> bool {
    socket.state == State::Closed && socket.remote.is_none()
}

fn request_of(socket: &Socket, descriptor: &OwnedFd) -> Request {
    let options = sockets::options(descriptor);
    Request {
        transport: socket.transport,
        address: socket.local.ip(),
        port: socket.port(),
        options: Options {
            reuse_address: options.reuse_address == Truth::Yes,
            reuse_port: options.reuse_port == Truth::Yes,
            v6only: options.v6only == Truth::Yes,
            device: socket.device,
            free_bind: sockopt::ip_freebind(descriptor).is_ok_and(|free| free),
        },
        uid: owner(descriptor),
        may_bind_reserved: true,
    }
}

/// Ports for cases below `ip_unprivileged_port_start`, one for each case of a namespace.
const LOW_PORTS: u16 = 20;
const HIGH_PORTS: u16 = 3000;
const NO_SUCH_DEVICE: InterfaceIndex = InterfaceIndex(4242);
