//! The end of a server, as those share it who take part: listeners, connections, and whoever asks for it.

use super::course::{Begun, Course, Name, Want};
use super::plan::ShutdownPlan;
use super::report::ShutdownReport;
use super::tracked::Slot;
use crate::close::Outcome;
use crate::listener::DrainReport;
use ::tokio::runtime::Handle;
use ::tokio::sync::{Notify, watch};
use ::tokio::time::timeout_at;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

/// The end of a server: asked for once, then carried out by a task of its own, however the server behaves. Handles to
/// one are cheap to clone.
///
/// ```
/// use lastack_graceful::shutdown::{Orderly, Shutdown, ShutdownPlan};
/// use tokio::net::TcpListener;
///
/// # fn main() -> std::io::Result<()> {
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let shutdown = Shutdown::new(ShutdownPlan::new());
/// let mut listener = Orderly::new(TcpListener::bind("127.0.0.1:0").await?, &shutdown)?;
///
/// shutdown.begin();
/// while let Some((stream, _)) = listener.accept().await? {
///     drop(stream);
/// }
/// let report = shutdown.report().await;
/// assert!(report.cut == 0 && report.undrained == 0);
/// # Ok(()) })
/// # }
/// ```
#[derive(Clone)]
pub struct Shutdown(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: Notify,
    stage: watch::Sender<Stage>,
    runtime: Handle,
}

struct State {
    course: Course,
    slots: HashMap<Name, Weak<Slot>>,
}

/// How far it has come, for those who wait.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    Serve,
    Asked,
    Told,
    Over(ShutdownReport),
}

impl Shutdown {
    /// For a server that runs in the current runtime.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, as tokio's own types do.
    pub fn new(plan: ShutdownPlan) -> Self {
        let state = Mutex::new(State { course: Course::new(plan), slots: HashMap::new() });
        let runtime = Handle::current();
        Self(Arc::new(Shared {
            state,
            changed: Notify::new(),
            stage: watch::Sender::new(Stage::Serve),
            runtime,
        }))
    }

    /// The end begins, if it has not yet. Returns at once; may be called from any thread.
    pub fn begin(&self) {
        if self.state().course.handle_begin(Instant::now()) == Begun::Now {
            self.0.stage.send_replace(Stage::Asked);
            self.0.runtime.spawn(self.clone().carry_out());
        }
    }

    /// Ends when the server is to finish what it has begun: every queue is empty, and everybody was heard of or had time
    /// enough. This is the moment for hyper's `graceful_shutdown`, which with HTTP/2 sends GOAWAY (RFC 9113 §6.8).
    pub fn told(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let this = self.clone();
        async move { this.reaches(|stage| matches!(stage, Stage::Told | Stage::Over(_))).await }
    }

    /// Begins when `trigger` ends, then ends as [`Shutdown::told`]: what axum's `with_graceful_shutdown` takes.
    pub fn after(
        &self,
        trigger: impl Future<Output = ()> + Send + 'static,
    ) -> impl Future<Output = ()> + Send + 'static {
        let this = self.clone();
        async move {
            trigger.await;
            this.begin();
            this.told().await;
        }
    }

    /// How it went, once it is over. It ends within the sum of the plan's bounds, and half a second more each for the
    /// queues and for lingering, from [`Shutdown::begin`], whatever the server's tasks do.
    pub async fn report(&self) -> ShutdownReport {
        let mut stage = self.0.stage.subscribe();
        let over = stage.wait_for(|stage| matches!(stage, Stage::Over(_))).await;
        match over.as_deref() {
            Ok(Stage::Over(report)) => report.clone(),
            // The sender lives as long as this value.
            _ => ShutdownReport::default(),
        }
    }

    /// The plan.
    pub fn plan(&self) -> ShutdownPlan {
        self.state().course.plan()
    }

    /// Ends when the end begins.
    pub(super) async fn asked(&self) {
        self.reaches(|stage| !matches!(stage, Stage::Serve)).await;
    }

    /// When every queue is to be empty; `None` before the end has begun, and where that is never.
    pub(super) fn queues_end(&self) -> Option<Instant> {
        self.state().course.queues_end()
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.0.runtime
    }

    pub(super) fn listens(&self) {
        self.state().course.handle_listening();
    }

    pub(super) fn listener_closed(&self, report: Option<DrainReport>) {
        self.tell(|state| state.course.handle_closed(report));
    }

    pub(super) fn accepted(&self, slot: impl FnOnce(Name) -> Arc<Slot>) -> Arc<Slot> {
        self.tell(|state| {
            let name = state.course.handle_accepted(Instant::now());
            let slot = slot(name);
            state.slots.insert(name, Arc::downgrade(&slot));
            slot
        })
    }

    pub(super) fn first_byte(&self, name: Name) {
        self.tell(|state| state.course.handle_first_byte(name));
    }

    pub(super) fn closing(&self, name: Name) {
        self.tell(|state| state.course.handle_closing(name));
    }

    pub(super) fn ended(&self, name: Name, outcome: Option<Outcome>) {
        self.tell(|state| {
            state.slots.remove(&name);
            state.course.handle_ended(name, outcome);
        });
    }

    fn tell<T>(&self, what: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state();
        let told = what(&mut state);
        let wanted = state.course.is_under_way();
        drop(state);
        if wanted {
            self.0.changed.notify_one();
        }
        told
    }

    async fn reaches(&self, wanted: fn(&Stage) -> bool) {
        // Fails only if the sender is gone, which lives as long as this value.
        let _ = self.0.stage.subscribe().wait_for(wanted).await;
    }

    async fn carry_out(self) {
        loop {
            let want = self.state().course.want(Instant::now());
            match want {
                Want::Wait(None) => self.0.changed.notified().await,
                Want::Wait(Some(until)) => {
                    let _ = timeout_at(until.into(), self.0.changed.notified()).await;
                }
                Want::Tell => drop(self.0.stage.send_replace(Stage::Told)),
                Want::Cut(names) => {
                    for slot in self.slots(&names) {
                        slot.cut();
                    }
                }
                Want::Report(report, left) => {
                    for slot in self.slots(&left) {
                        slot.leave();
                    }
                    self.0.stage.send_replace(Stage::Over(report));
                    return;
                }
            }
        }
    }

    fn slots(&self, names: &[Name]) -> Vec<Arc<Slot>> {
        let state = self.state();
        names.iter().filter_map(|name| state.slots.get(name)?.upgrade()).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown").field("stage", &*self.0.stage.borrow()).finish_non_exhaustive()
    }
}
