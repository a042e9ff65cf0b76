//! A process that comes by its listener as a test wants it.

use lastack_lab::handover::SERVER;
use lastack_lab::program::undisturbed;
use std::fs;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

pub(crate) const HEIR: &str = env!("CARGO_BIN_EXE_heir");

/// A running process; ended when dropped.
#[derive(Debug)]
pub(crate) struct Heir {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

/// A folder for sockets that only this user may write to; removed when dropped.
#[derive(Debug)]
pub(crate) struct Folder(pub(crate) PathBuf);

impl Heir {
    pub(crate) fn start(words: &[&str]) -> Self {
        Self::spawn(Command::new(HEIR).args(words))
    }

    /// Passes it a listener as descriptor 2 of a shell, which runs this script with `$HEIR` in it.
    pub(crate) fn passed(listener: &TcpListener, script: &str) -> Self {
        let copy = listener.try_clone().expect("a second descriptor");
        let mut command = Command::new("sh");
        command
            .args(["-c", script])
            .env("HEIR", HEIR)
            .stderr(Stdio::from(std::os::fd::OwnedFd::from(copy)));
        Self::spawn(&mut command)
    }

    pub(crate) fn spawn(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = undisturbed(|| command.spawn()).unwrap_or_else(|error| {
            let name = command.get_program().to_string_lossy();
            panic!("failed to start {name}: {error} (install what has it; `cargo xtask test` does)")
        });
        let lines = BufReader::new(child.stdout.take().expect("its stdout")).lines();
        // The command keeps its copy of what it passed.
        command.stderr(Stdio::null());
        Self { child, lines }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn line(&mut self) -> String {
        self.lines.next().expect("another line").expect("a line in UTF-8")
    }

    /// All that it says until it ends.
    pub(crate) fn rest(&mut self) -> Vec<String> {
        drop(self.child.stdin.take());
        self.lines.by_ref().map(|line| line.expect("a line in UTF-8")).collect()
    }

    pub(crate) fn serving(mut self) -> Self {
        assert_eq!(self.line(), "serving");
        self
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) fn end(&mut self) -> ExitStatus {
        drop(self.child.stdin.take());
        self.child.wait().expect("its end")
    }
}

impl Drop for Heir {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("lastack-lab-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a new folder");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
        Self(path)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.join("offer")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// One question, asked of whoever serves; whether it was answered.
pub(crate) fn is_answered() -> bool {
    let Ok(mut client) = TcpStream::connect(SERVER) else { return false };
    let asked = client.write_all(b"question");
    asked.and_then(|()| std::io::read_to_string(client)).is_ok_and(|answer| answer == "answer")
}
