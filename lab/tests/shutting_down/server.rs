//! An example of `lastack-graceful` as a process.

use lastack_lab::program::{NOBODY, Process, User, path};
use rustix::process::Signal;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{ChildStdout, Command, Stdio};

/// A running example.
pub(crate) struct Server {
    process: Process,
    output: BufReader<ChildStdout>,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts it on a free port of the calling thread's namespace.
    pub(crate) fn start(example: &str, user: User) -> Self {
        let copy = for_anybody(example);
        let mut command = Command::new(&copy);
        if user == User::Nobody {
            command.uid(NOBODY).gid(NOBODY);
        }
        let mut process = Process::start(command.arg("127.0.0.1:0").stdout(Stdio::piped()));
        let output = process.child().stdout.take().expect("its standard output");
        let mut output = BufReader::new(output);
        let mut line = String::new();
        output.read_line(&mut line).expect("its first line");
        let address = line.trim_end().strip_prefix("listening on ").expect("its address");
        Self { process, output, address: address.parse().expect("an address") }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// How many descriptors it has.
    pub(crate) fn descriptors(&self) -> usize {
        let path = format!("/proc/{}/fd", self.process.pid());
        std::fs::read_dir(path).expect("its descriptors").count()
    }

    /// Waits for its end; what it said.
    pub(crate) fn ended(mut self) -> String {
        let mut said = String::new();
        self.output.read_to_string(&mut said).expect("the rest of its output");
        let status = self.process.child().wait().expect("its end");
        assert!(status.success(), "{status}: {said}");
        said
    }
}

/// A copy that every user can run, under a name of its own: a checkout may lie where only its owner may look.
fn for_anybody(example: &str) -> PathBuf {
    let built = path().with_file_name("examples").join(example);
    assert!(
        built.is_file(),
        "{} is missing: run `cargo build --workspace --examples`",
        built.display()
    );
    lastack_lab::program::copy_for_anybody(&built)
}
