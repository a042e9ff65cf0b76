//! Carries plans out over tokio: each wait is for everything that the plan wants, and for being stopped.
//!
//! What a command costs in memory: two buffers to read into, and one piece of output on its way. A piece that nobody takes
//! keeps the connections from being read, and TCP keeps the command from writing.

use super::course::{self, Await, Channel, Course, Errors, Over, Parting};
use super::line::{broken, gone, is_gone, read, reset, until, watch, write};
use super::setup::{self, Broken, Calling, SetUp};
use crate::output::NOT_TAKEN;
use crate::{Output, Signal, Source, Stop};
use lastack_graceful::ports::tokio::Listening;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::select;
use tokio::time::timeout;

/// What the plans are carried out on.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) main: TcpStream,
    pub(super) errors: Option<TcpStream>,
    kind: Errors,
    silence: Duration,
    /// When to look whether the server is gone, where the kernel does not.
    look_at: Option<Instant>,
    /// What is read at once, at most.
    buffers: [Vec<u8>; 2],
}

/// What came first.
enum Event {
    Sent(io::Result<usize>),
    Read(Channel, io::Result<usize>),
    Called(io::Result<(TcpStream, SocketAddr)>),
    /// Somebody took the output.
    Taken,
    Stop(Signal),
    Timeout,
    /// It is time to look whether the server is gone.
    Look,
}

/// What a command has written, on its way to whoever shows it.
#[derive(Default)]
struct Delivery<'a> {
    /// What the plan has just said is output.
    fresh: Vec<u8>,
    under_way: Option<Pin<Box<dyn Future<Output = ()> + Send + 'a>>>,
}

impl Lines {
    pub(super) fn new(main: TcpStream, kind: Errors, silence: Duration) -> Self {
        Self {
            main,
            errors: None,
            kind,
            silence,
            look_at: None,
            buffers: [vec![0; READ], Vec::new()],
        }
    }

    /// Has it notice a server that is gone.
    pub(super) fn watch(&mut self, has_input: bool) {
        for stream in std::iter::once(&self.main).chain(&self.errors) {
            // Options that every TCP socket takes; without them only the noticing is slower.
            let _ = watch(stream, self.silence, has_input);
        }
        self.look_at = has_input.then(Instant::now);
    }

    /// Agrees with the server, and takes its call-back.
    pub(super) async fn agree(
        &mut self,
        plan: &mut SetUp,
        ear: Option<&Listening>,
        stop: &mut Stop,
    ) {
        while let setup::Step::Await(wanted) = plan.want() {
            let event = select! {
                biased;
                signal = stop.pulled() => Event::Stop(signal),
                called = call(ear, wanted.until), if wanted.call => Event::Called(called),
                came = read(&self.main, &mut self.buffers[0]) => Event::Read(Channel::Main, came),
                sent = write(&self.main, wanted.send), if !wanted.send.is_empty() => {
                    Event::Sent(sent)
                }
                () = until(Some(wanted.until)) => Event::Timeout,
            };
            self.tell_set_up(plan, event);
        }
    }

    fn tell_set_up(&mut self, plan: &mut SetUp, event: Event) {
        let buffer = &mut self.buffers[0];
        match event {
            Event::Stop(signal) => plan.handle_stop(signal),
            Event::Called(Ok((stream, from))) => match plan.handle_call(from.port()) {
                Calling::Take => {
                    if self.kind == Errors::Early {
                        // Where it fails the connection is gone, which reading tells.
                        let _ = shutdown(&stream, Shutdown::Write);
                    }
                    self.errors = Some(stream);
                }
                Calling::Refuse => reset(stream),
            },
            Event::Called(Err(error)) if error.kind() != io::ErrorKind::TimedOut => {
                plan.handle_broken(Broken::Lost(format!("accept the call-back: {error}")));
            }
            Event::Read(_, Ok(0)) => plan.handle_end(),
            Event::Read(_, Ok(count)) => plan.handle_octets(&buffer[..count]),
            Event::Read(_, Err(error)) => plan.handle_broken(broken(&error, self.silence)),
            Event::Sent(Ok(count)) => plan.handle_sent(count),
            Event::Sent(Err(error)) => {
                // What the server had to say first tells more.
                if let Ok(count @ 1..) = self.main.try_read(buffer) {
                    plan.handle_octets(&buffer[..count]);
                }
                plan.handle_broken(broken(&error, self.silence));
            }
            Event::Called(Err(_)) | Event::Timeout | Event::Taken | Event::Look => {
                plan.handle_timeout(Instant::now());
            }
        }
    }

    /// Carries the command through to its end; `early` came behind the server's yes. What it writes goes to `output`.
    pub(super) async fn run(
        &mut self,
        mut plan: Course,
        early: &[u8],
        output: &Output,
        stop: &mut Stop,
    ) -> Over {
        let (mut delivery, mut is_stopped) = (Delivery::default(), false);
        if self.errors.is_some() {
            self.buffers[1].resize(READ, 0);
        }
        plan.handle_octets(Channel::Main, early, &mut delivery.fresh);
        delivery.send_off(output, Channel::Main);
        loop {
            self.act(&mut plan);
            let course::Step::Await(wanted) = plan.want() else { break };
            let event = select! {
                biased;
                signal = stop.pulled(), if !is_stopped => Event::Stop(signal),
                event = self.next(wanted, &mut delivery) => event,
            };
            is_stopped |= matches!(event, Event::Stop(_));
            if matches!(event, Event::Look) {
                self.look_at = Instant::now().checked_add(self.silence / 4);
            }
            if let Event::Read(channel, _) = event {
                self.tell(&mut plan, event, &mut delivery.fresh);
                delivery.send_off(output, channel);
            } else {
                self.tell(&mut plan, event, &mut delivery.fresh);
            }
        }
        let deadline = plan.until();
        let mut over = plan.finish(&mut delivery.fresh);
        let is_taken = select! {
            biased;
            () = delivery.finish(output) => true,
            () = until(deadline) => false,
            _ = stop.pulled(), if !is_stopped => false,
        };
        if !is_taken {
            over.notes.push(NOT_TAKEN.into());
        }
        over
    }

    /// Whether the server has closed or reset while nobody was looking.
    pub(super) fn has_ended(&self) -> bool {
        let flags = RecvFlags::DONTWAIT | RecvFlags::PEEK;
        let has_ended = |stream: &TcpStream| match recv(stream, &mut [0_u8; 1][..], flags) {
            Ok((_, length)) => length == 0,
            Err(errno) => errno != Errno::AGAIN && errno != Errno::INTR,
        };
        std::iter::once(&self.main).chain(&self.errors).any(has_ended)
    }

    /// Says this to a shell whose last word it is, this side's FIN going first on the connection for the standard error,
    /// and throws away what it answers: how the connections are to be left after that, or after this time.
    pub(super) async fn say_goodbye(&mut self, words: &[u8], grace: Duration) -> Parting {
        if let Some(errors) = &self.errors {
            let _ = shutdown(errors, Shutdown::Write);
        }
        let leaving = async {
            let mut rest = words;
            while !rest.is_empty() {
                rest = &rest[write(&self.main, rest).await?..];
            }
            let [main, _] = &mut self.buffers;
            while read(&self.main, main).await? > 0 {}
            while read_errors(self.errors.as_ref().or(Some(&self.main)), main).await? > 0 {}
            io::Result::Ok(())
        };
        match timeout(grace, leaving).await {
            Ok(Ok(())) => Parting::Orderly,
            Ok(Err(_)) => Parting::Gone,
            Err(_) => Parting::Reset,
        }
    }

    /// Waits for what the plan wants. Reads only when the output is taken.
    async fn next(&mut self, wanted: Await<'_>, delivery: &mut Delivery<'_>) -> Event {
        let may_read = delivery.under_way.is_none();
        let [main, errors] = &mut self.buffers;
        select! {
            biased;
            () = until(wanted.until) => Event::Timeout,
            () = until(self.look_at) => Event::Look,
            () = delivery.taken(), if !may_read => Event::Taken,
            came = read(&self.main, main), if may_read && wanted.read_main => {
                Event::Read(Channel::Main, came)
            }
            came = read_errors(self.errors.as_ref(), errors), if may_read && wanted.read_errors => {
                Event::Read(Channel::Errors, came)
            }
            sent = write(&self.main, wanted.send), if !wanted.send.is_empty() => Event::Sent(sent),
        }
    }

    fn tell(&self, plan: &mut Course, event: Event, output: &mut Vec<u8>) {
        match event {
            Event::Stop(signal) => plan.handle_stop(signal, Instant::now()),
            Event::Read(channel, Ok(0)) => plan.handle_end(channel),
            Event::Read(channel, Ok(count)) => {
                let buffer = &self.buffers[usize::from(channel == Channel::Errors)];
                plan.handle_octets(channel, &buffer[..count], output);
            }
            Event::Read(channel, Err(error)) => {
                plan.handle_broken(channel, broken(&error, self.silence));
            }
            Event::Sent(Ok(count)) => plan.handle_sent(count),
            Event::Sent(Err(_)) => plan.handle_deaf(),
            Event::Look if is_gone(&self.main, self.silence) => {
                plan.handle_broken(Channel::Main, gone(self.silence));
            }
            Event::Taken | Event::Called(_) | Event::Look => {}
            Event::Timeout => plan.handle_timeout(Instant::now()),
        }
    }

    /// Does what the plan wants done at once. Where that fails the connection is gone, which reading tells.
    fn act(&self, plan: &mut Course) {
        loop {
            match (plan.want(), &self.errors) {
                (course::Step::HalfClose(channel), errors) => {
                    let errors = errors.as_ref().unwrap_or(&self.main);
                    let stream = if channel == Channel::Main { &self.main } else { errors };
                    let _ = shutdown(stream, Shutdown::Write);
                    plan.handle_half_closed(channel);
                }
                (course::Step::Signal(signal), errors) => {
                    if let Some(errors) = errors {
                        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
                        let _ = send(errors, &[signal.number()], flags);
                    }
                    plan.handle_signalled();
                }
                (course::Step::Await(_) | course::Step::Over, _) => break,
            }
        }
    }
}

impl<'a> Delivery<'a> {
    /// Sends off what is fresh. Nothing is under way.
    fn send_off(&mut self, output: &'a Output, channel: Channel) {
        if self.fresh.is_empty() {
            return;
        }
        let octets = std::mem::take(&mut self.fresh);
        let source = match channel {
            Channel::Main => Source::Stdout,
            Channel::Errors => Source::Stderr,
        };
        self.under_way = Some(Box::pin(async move { output.put(source, &octets).await }));
    }

    /// Waits until what is under way has been taken.
    async fn taken(&mut self) {
        if let Some(under_way) = &mut self.under_way {
            under_way.await;
        }
        self.under_way = None;
    }

    async fn finish(&mut self, output: &'a Output) {
        self.taken().await;
        self.send_off(output, Channel::Main);
        self.taken().await;
    }
}

async fn call(ear: Option<&Listening>, until: Instant) -> io::Result<(TcpStream, SocketAddr)> {
    match ear {
        Some(ear) => ear.accept(until).await,
        None => pending().await,
    }
}

async fn read_errors(stream: Option<&TcpStream>, buffer: &mut [u8]) -> io::Result<usize> {
    match stream {
        Some(stream) => read(stream, buffer).await,
        None => pending().await,
    }
}

/// In octets.
const READ: usize = 16 << 10;
