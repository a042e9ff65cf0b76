//! A namespace with an sshd in it, and `lastack rsh` run there with a folder of its own for what it leaves nowhere.

use lastack_lab::namespace::Namespace;
use lastack_lab::program::{Process, Run, path, run};
use lastack_lab::sshd::Sshd;
use lastack_lab::states::wait_until;
use rustix::process::Signal;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Where it happens.
pub(crate) struct Scene {
    sshd: Sshd,
    folder: PathBuf,
}

/// A run that goes on.
pub(crate) struct Going {
    process: Process,
    stderr: PathBuf,
}

impl Scene {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let sshd = Sshd::started(&Namespace::enter());
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("l{}-{number}", std::process::id()));
        fs::create_dir(&folder).expect("a folder of its own");
        Self { sshd, folder }
    }

    /// `lastack rsh` with these arguments, to its end.
    pub(crate) fn rsh(&self, arguments: &[&str]) -> Run {
        run(self.command(path()).arg("rsh").args(arguments))
    }

    /// A shell that has the program as `$L` and runs this.
    pub(crate) fn shell(&self, script: &str) -> Run {
        run(self.command("sh").args(["-c", script]).env("L", path()))
    }

    /// The same, and the run goes on.
    pub(crate) fn start(&self, arguments: &[&str]) -> Going {
        self.start_to(Stdio::null(), arguments)
    }

    /// The same with this standard output.
    pub(crate) fn start_to(&self, stdout: Stdio, arguments: &[&str]) -> Going {
        let stderr = self.file("stderr");
        let mut command = self.command("sh");
        command.args(["-c", "exec \"$@\" 2>\"$ERR\"", "sh"]).arg(path()).arg("rsh").args(arguments);
        command.env("ERR", &stderr).stdin(Stdio::null()).stdout(stdout);
        Going { process: Process::start(&mut command), stderr }
    }

    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = self.sshd.command(program);
        command.env("XDG_RUNTIME_DIR", &self.folder);
        command
    }

    /// A path that nobody else uses; remote commands see the same files.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.file(name);
        fs::write(&path, text).expect("a file");
        path
    }

    /// What lastack has left in its folder.
    pub(crate) fn left(&self) -> Vec<String> {
        names(&self.file("lastack-rsh"))
    }

    /// The masters that stay for later runs.
    pub(crate) fn masters(&self) -> Vec<String> {
        names(&self.file("lastack-rsh/m"))
    }

    /// How many processes of ssh have this word in their command line. Choose one that no other test uses.
    pub(crate) fn clients(word: &str) -> usize {
        let all = lastack_os::process::all().expect("the processes");
        let is_one = |pid: &lastack_model::ids::Pid| {
            let read = |name| fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
            let line = String::from_utf8_lossy(&read("cmdline")).into_owned();
            read("comm") == b"ssh\n" && line.contains(word)
        };
        all.iter().filter(|pid| is_one(pid)).count()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Going {
    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Its standard output from now on, to its end; nobody has read it before.
    pub(crate) fn output(&mut self) -> Vec<u8> {
        let mut output = Vec::new();
        let mut stdout = self.process.child().stdout.take().expect("a pipe");
        stdout.read_to_end(&mut output).expect("its output");
        output
    }

    /// What it has said so far.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    /// Its exit code, once it has ended.
    pub(crate) fn code(&mut self) -> Option<i32> {
        let process = std::cell::RefCell::new(&mut self.process);
        let ended = std::cell::Cell::new(None);
        wait_until("it has ended", || {
            ended.set(process.borrow_mut().child().try_wait().expect("a child"));
            ended.get().is_some()
        });
        ended.get().and_then(|status| status.code())
    }
}

/// The lines, in an order that does not depend on who was first.
pub(crate) fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
