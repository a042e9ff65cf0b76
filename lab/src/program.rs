//! The program as its users meet it: run in the calling thread's namespace, as any user, its whole answer kept.
//!
//! Children are started one at a time and `lastack` runs one at a time: between fork and exec a child has a copy of
//! every descriptor of this process, which would hold sockets open for a moment and be seen as one more holder.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::cell::Cell;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What a run of `lastack` came to.
#[derive(Clone, Debug)]
pub struct Run {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
}

/// As whom `lastack` runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum User {
    /// As root, with every capability.
    Root,
    /// As `nobody` (65534), without any.
    Nobody,
}

/// A process that a test started; ended and waited for when dropped.
#[derive(Debug)]
pub struct Process(Child);

impl Run {
    /// The one JSON object of the output.
    ///
    /// # Panics
    ///
    /// When there is not exactly one.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("not one JSON object: {error}: {self:#?}"))
    }
}

impl Process {
    /// Starts a command.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn start(command: &mut Command) -> Self {
        let _alone = alone();
        // Nobody may wait for the end of our own standard error as long as a forgotten child has it.
        command.stderr(Stdio::null());
        Self(command.spawn().unwrap_or_else(|error| {
            let name = command.get_program().to_string_lossy();
            panic!("failed to start {name}: {error} (install {name}; `cargo xtask test` does)")
        }))
    }

    /// Its pid.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Sends it a signal, without waiting for other tests as a program that does so would.
    ///
    /// # Panics
    ///
    /// When it was waited for.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).expect("a signal to our own child");
    }

    /// The child, to talk to it.
    pub const fn child(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs `lastack` as root.
pub fn lastack(arguments: &[&str]) -> Run {
    lastack_as(User::Root, arguments)
}

/// Runs `lastack`.
///
/// # Panics
///
/// When it cannot be started.
pub fn lastack_as(user: User, arguments: &[&str]) -> Run {
    let mut command = match user {
        User::Root => Command::new(path()),
        User::Nobody => {
            let mut command = Command::new(path_for_anybody());
            command.uid(NOBODY).gid(NOBODY);
            command
        }
    };
    run(command.args(arguments))
}

/// Runs `lastack` in a process namespace of its own, from which no process outside is seen.
///
/// # Panics
///
/// When it cannot be started.
pub fn lastack_apart(arguments: &[&str]) -> Run {
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--mount-proc"]).arg(path()).args(arguments);
    run(&mut command)
}

/// Runs a command to its end.
///
/// # Panics
///
/// When it cannot be started.
pub fn run(command: &mut Command) -> Run {
    run_with(command, Stdio::null())
}

/// Runs a command to its end, with this as its standard input.
///
/// # Panics
///
/// When it cannot be started.
pub fn run_with(command: &mut Command, input: impl Into<Stdio>) -> Run {
    let _alone = alone();
    let child = spawn(command, input);
    outcome(command, child.and_then(Child::wait_with_output))
}

/// Runs a command to its end while others run theirs: only its start is made alone. For commands that look at no sockets
/// but their own.
///
/// # Panics
///
/// When it cannot be started.
pub fn run_beside_others(command: &mut Command) -> Run {
    let child = undisturbed(|| spawn(command, Stdio::null()));
    outcome(command, child.and_then(Child::wait_with_output))
}

fn spawn(command: &mut Command, input: impl Into<Stdio>) -> io::Result<Child> {
    command.stdin(input).env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn();
    // The command has a copy of its input, which would be seen as one more holder.
    command.stdin(Stdio::null());
    child
}

fn outcome(command: &Command, ended: io::Result<Output>) -> Run {
    let Output { status, stdout, stderr } = ended.unwrap_or_else(|error| {
        let name = command.get_program().to_string_lossy();
        panic!("failed to run {name}: {error} (install {name}; `cargo xtask test` does)")
    });
    let text = |bytes| String::from_utf8(bytes).expect("output in UTF-8");
    Run { stdout: text(stdout), stderr: text(stderr), code: status.code() }
}

/// Does something while no other test starts a child, so that a socket closed in it is closed at once, and what it runs
/// is run without waiting for others.
pub fn undisturbed<T>(act: impl FnOnce() -> T) -> T {
    let _alone = alone();
    act()
}

/// The program under test: `LASTACK_BIN`, or what `cargo build -p lastack` made.
///
/// # Panics
///
/// When it was not built.
pub fn path() -> PathBuf {
    let built = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/debug/lastack");
    let path = std::env::var_os("LASTACK_BIN").map_or_else(built, PathBuf::from);
    assert!(
        path.is_file(),
        "{} is missing: run `cargo build -p lastack`, or name it in LASTACK_BIN",
        path.display()
    );
    path
}

/// A copy of the program under test that every user can run: a checkout may lie where only its owner may look, such as
/// below `/root`.
///
/// # Panics
///
/// When it cannot be made.
pub fn path_for_anybody() -> PathBuf {
    copy_for_anybody(&path())
}

/// A copy of a program that every user can run. One is kept per build; those of builds long gone are removed.
///
/// # Panics
///
/// When it cannot be made.
pub fn copy_for_anybody(built: &Path) -> PathBuf {
    let _alone = alone();
    let modified = std::fs::metadata(built).and_then(|file| file.modified());
    let since = modified.map(|time| time.duration_since(std::time::UNIX_EPOCH));
    let age = since.expect("a time of change").map_or(0, |time| time.as_nanos());
    let name = built.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let copy = std::env::temp_dir().join(format!("{name}-of-{age}"));
    if !copy.is_file() {
        let unfinished = copy.with_extension(std::process::id().to_string());
        std::fs::copy(built, &unfinished).expect("a copy of the program");
        std::fs::rename(&unfinished, &copy).expect("the copy gets its name");
        remove_old_copies(&format!("{name}-of-"));
    }
    copy
}

/// Removes copies that no test can be using any more, as far as they are one's own.
fn remove_old_copies(prefix: &str) {
    let folder = std::fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten();
    for file in folder.filter(|file| file.file_name().to_string_lossy().starts_with(prefix)) {
        let made = file.metadata().and_then(|file| file.modified());
        let is_old = made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age > LONG));
        if is_old {
            let _ = std::fs::remove_file(file.path());
        }
    }
}

/// Longer than a run of all tests.
const LONG: Duration = Duration::from_secs(3600);

/// The user that has no rights.
pub const NOBODY: u32 = 65534;

/// A test that failed while it was alone has done the others no harm. Whoever is alone already stays so.
fn alone() -> impl Drop {
    static ALONE: Mutex<()> = Mutex::new(());
    let outermost = DEPTH.replace(DEPTH.get() + 1) == 0;
    Alone { _held: outermost.then(|| ALONE.lock().unwrap_or_else(PoisonError::into_inner)) }
}

struct Alone {
    _held: Option<MutexGuard<'static, ()>>,
}

impl Drop for Alone {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}
