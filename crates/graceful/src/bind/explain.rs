//! Who is to blame, and when it will be over: the diagnosis of `lastack why` for a bind that has just failed.
//!
//! No trial is made: the bind that failed was one. Walking the processes takes some milliseconds, so it happens on a
//! failure only, and while waiting only when something has changed.

use super::bound::Failed;
use super::exclusive;
use lastack_model::bind::Request;
use lastack_model::errno::Errno;
use lastack_model::facts::{
    Holder, Kind, ServiceKind, SocketGroup, Transport, Trial, TrialOutcome,
};
use lastack_model::lifetime::Lifetime;
use lastack_model::waiting::{Cost, Hearing, Occasion, Outlook};
use lastack_model::why::{Conflict, Explanation, Permission, Question, Role};
use lastack_os::gather::{self, Binder};
use lastack_os::host;
use lastack_os::process::Handle;
use lastack_os::sock_diag::Destroyed;
use lastack_os::trial::TrialUser;
use lastack_os::watch::{Ears, Watch, Woken};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// What is known of what stands in the way, while somebody waits for it to go.
#[derive(Debug, Default)]
pub(super) struct Picture {
    seen: Option<Seen>,
    watch: Watch<'static>,
    /// Something ended since the last attempt.
    news: bool,
    spent: Duration,
    attempt_began: Option<Instant>,
}

#[derive(Debug)]
struct Seen {
    outlook: Outlook,
    at: Instant,
    cost: Duration,
}

impl Picture {
    /// How long to pause after this attempt.
    pub(super) fn look(&mut self, failed: &Failed, began: Instant) -> Option<Duration> {
        let now = Instant::now();
        let last = self.attempt_began.map_or(Duration::ZERO, |began| now - began);
        self.spent += last;
        let cost = Cost { last, spent: self.spent, waited: now - began };
        if self.seen.as_ref().is_none_or(|seen| seen.is_due(now, self.news)) {
            self.see(failed);
        }
        let seen = self.seen.as_ref()?;
        Some(seen.outlook.pause(seen.at.elapsed(), cost))
    }

    fn see(&mut self, failed: &Failed) {
        let at = Instant::now();
        self.seen = explanation(failed).map(|explanation| {
            self.listen_for(&explanation);
            let hearing = self.watch.destroyed.as_ref().map_or(Hearing::Deaf, |_| Hearing::Heard);
            Seen { outlook: Outlook::of(&explanation, hearing), at, cost: at.elapsed() }
        });
    }

    /// Holds the processes whose end may free the port, and asks for news of their sockets.
    fn listen_for(&mut self, explanation: &Explanation) {
        let holders = explanation.conflicts.iter().flat_map(|conflict| &conflict.holders);
        let handles = holders.take(HOLDERS_WATCHED).map(|holder| Handle::of(&holder.process));
        // Without a handle its end is seen by the next attempt.
        self.watch.holders = handles.filter_map(|handle| handle.ok().flatten()).collect();
        let is_full = |conflict: &&Conflict| conflict.sockets.example.kind == Kind::Full;
        if self.watch.destroyed.is_none()
            && let Some(conflict) = explanation.conflicts.iter().find(is_full)
        {
            let socket = &conflict.sockets.example;
            self.watch.destroyed = Destroyed::on_port(socket.transport, socket.port()).ok();
        }
    }

    /// Sleeps at most so long.
    pub(super) fn sleep(&mut self, pause: Duration) {
        if !self.listen(pause) {
            std::thread::sleep(pause);
        }
        self.attempt_began = Some(Instant::now());
    }

    /// The same without blocking the thread.
    #[cfg(feature = "tokio")]
    #[expect(deprecated, reason = "what an unsafe successor asks for, an owned descriptor gives")]
    pub(super) async fn sleep_under_tokio(&mut self, pause: Duration) {
        use ::tokio::io::{Interest, unix::AsyncFd};
        use ::tokio::time::{sleep, timeout};
        let all = self.watch.together(self.ears()).ok();
        match all.and_then(|all| AsyncFd::with_interest(all, Interest::READABLE).ok()) {
            // What came, and whether anything did, the watch says.
            Some(all) => drop(timeout(pause, all.readable()).await),
            None => sleep(pause).await,
        }
        self.listen(Duration::ZERO);
        self.attempt_began = Some(Instant::now());
    }

    /// Takes in the news that come within that time; whether it could listen for them.
    fn listen(&mut self, pause: Duration) -> bool {
        let woken = self.watch.wait(pause, self.ears());
        self.news = matches!(woken, Ok(Woken::ByNews));
        woken.is_ok()
    }

    /// After news it is deaf once: an attempt for several addresses that fails at the last ends sockets of its own, and
    /// nobody should wake himself.
    const fn ears(&self) -> Ears {
        if self.news { Ears::Shut } else { Ears::Open }
    }
}

impl Seen {
    fn is_due(&self, now: Instant, news: bool) -> bool {
        let age = now.saturating_duration_since(self.at);
        let changed = news || self.outlook.is_past(age);
        let occasion = if changed { Occasion::Changed } else { Occasion::Routine };
        age >= occasion.pause(self.cost)
    }
}

/// Explains a failure. `None` where no other socket can be to blame, or nothing could be seen.
pub(super) fn explanation(failed: &Failed) -> Option<Explanation> {
    let (planned, sharing) = failed.bind?;
    let host = host::host().ok()?;
    let asker = host.asker;
    let request = Request {
        uid: asker.uid,
        may_bind_reserved: asker.may_bind_reserved,
        ..exclusive::request(planned, sharing)
    };
    if request.port.is_any() {
        return None;
    }
    let question = Question {
        asked: planned.address.to_string(),
        requests: vec![request.clone()],
        trial: Permission::Forbidden,
        elsewhere: Permission::Forbidden,
    };
    let mut facts = gather::facts(&[(Transport::Tcp, request.port)], &host).ok()?;
    let errno = Errno::from_raw(failed.error.cause.raw_os_error()?);
    facts.trials.push(Trial { request, outcome: TrialOutcome::Refused(errno) });
    let binder = Binder { asker, trial: TrialUser::Caller };
    Some(gather::explain(&question, &mut facts, binder))
}

/// Who stands in the way, in one line.
pub(super) fn culprit(explanation: &Explanation, wanted: Option<SocketAddr>) -> Option<String> {
    let first = explanation.conflicts.first()?;
    let others = explanation.conflicts.len() - 1;
    let more = match others {
        0 => String::new(),
        1 => "; one more kind of socket is in the way".into(),
        n => format!("; {n} more kinds of socket are in the way"),
    };
    let elsewhere = wanted.filter(|wanted| *wanted != first.sockets.example.local);
    let elsewhere = elsewhere.map_or_else(String::new, |wanted| format!(" (wanted: {wanted})"));
    Some(format!("{}{elsewhere}{more}", told(first)))
}

fn told(conflict: &Conflict) -> String {
    let group = &conflict.sockets;
    let place = group.example.local;
    let who = || who(conflict);
    match conflict.role {
        Role::Listener => format!("{} listens on {place}", who()),
        Role::BoundOnly => format!("{} has bound {place} and does not listen", who()),
        Role::Dead => format!("{} holds a dead connection of {place}", who()),
        Role::Udp => format!("{} has bound {place}", who()),
        Role::CloseWait | Role::HalfClosed | Role::Accepted | Role::Outgoing => {
            format!("{} holds {} of {place} in {}", who(), connections(group), group.example.state)
        }
        Role::Queued => format!("{} of {place} not accepted yet", connections(group)),
        Role::OrphanUnacknowledged | Role::OrphanFinWait2 | Role::TimeWait => format!(
            "{} of {place} in {}, which no process holds{}",
            connections(group),
            group.example.state,
            over(conflict.lifetime)
        ),
    }
}

fn connections(group: &SocketGroup) -> String {
    match group.count {
        1 => "a connection".into(),
        n => format!("{n} connections"),
    }
}

fn over(lifetime: Lifetime) -> String {
    let seconds = |ms: u64| ms.div_ceil(1000);
    match lifetime {
        Lifetime::Ends(span) => {
            format!("; over in {} s, at most {} s", seconds(span.least_ms), seconds(span.most_ms))
        }
        Lifetime::WhileHeld | Lifetime::WhileHeldPeerSilent(_) | Lifetime::Never => String::new(),
    }
}

/// The process that has held it longest: the parent of the others, as a rule. Those are not counted that descend from it,
/// for they end with it.
fn who(conflict: &Conflict) -> String {
    let Some(first) = conflict.holders.iter().min_by_key(|it| it.process.start_ticks) else {
        return nobody(conflict);
    };
    let process = &first.process;
    // A control group that no manager made tells nobody anything.
    let service = process.service.as_ref().filter(|service| service.kind != ServiceKind::Cgroup);
    let service = service.map_or_else(String::new, |service| format!(" ({service})"));
    let is_apart = |holder: &&Holder| {
        holder.process.pid != process.pid
            && holder.process.ancestors.iter().all(|parent| parent.pid != process.pid)
    };
    let others = match conflict.holders.iter().filter(is_apart).count() {
        0 => String::new(),
        1 => " and one more process".into(),
        n => format!(" and {n} more processes"),
    };
    format!("pid {} {}{service}{others}", process.pid, process.name)
}

fn nobody(conflict: &Conflict) -> String {
    match (&conflict.service, conflict.sockets.example.uid) {
        (Some(service), _) => format!("a process that is not visible ({service})"),
        (None, Some(uid)) => format!("a process of uid {uid} that is not visible"),
        (None, None) => "a process that is not visible".into(),
    }
}

/// Whose end is waited for by name; the attempts see the end of any more.
const HOLDERS_WATCHED: usize = 64;

#[cfg(all(test, feature = "tokio"))]
mod tests {
    use super::*;
    use lastack_model::ids::Pid;
    use std::process::Command;

    #[test]
    fn under_tokio_the_end_of_a_process_ends_the_pause_and_nothing_else_does() {
        let runtime = ::tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let mut picture = Picture::default();
            let began = Instant::now();
            picture.sleep_under_tokio(Duration::from_millis(50)).await;
            assert!(!picture.news && began.elapsed() >= Duration::from_millis(50));
            let mut child = Command::new("sleep").arg("0.2").spawn().expect("a child");
            let handle = Handle::by_pid(Pid(child.id())).expect("asked").expect("it lives");
            picture.watch.holders.push(handle);
            picture.sleep_under_tokio(Duration::from_secs(60)).await;
            assert!(picture.news && began.elapsed() < Duration::from_secs(30));
            child.wait().expect("its end");
        });
    }
}
