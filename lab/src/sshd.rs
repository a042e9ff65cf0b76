//! A real `sshd` on loopback of the calling thread's namespace, with keys of its own, and 200 addresses to reach it by.
//!
//! A client started with [`Sshd::command`] finds its key, the known hosts and the names where it looks for them anyway,
//! in the home of root: no option is needed, whichever program starts `ssh`. Others take [`Sshd::config`].

use crate::etc::Etc;
use crate::namespace::Namespace;
use crate::program::{Process, run};
use crate::states::{self, wait_until};
use lastack_model::state::State;
use std::ffi::OsStr;
use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::PathBuf;
use std::process::Command;

/// The server and its files.
#[derive(Debug)]
pub struct Sshd {
    _server: Process,
    etc: Etc,
}

impl Sshd {
    /// Starts it on port 22 of every address. It lets root and [`TESTER`](crate::etc::TESTER) in by their key.
    ///
    /// # Panics
    ///
    /// When it cannot be had: with what is missing.
    pub fn started(_here: &Namespace) -> Self {
        let names = (1..=ADDRESSES).map(|n| (Self::address(n).into(), format!("node{n}")));
        let etc = Etc::new(&names.collect::<Vec<_>>());
        let host_key = new_key(&etc, "etc/ssh_host_key");
        let key = new_key(&etc, "home/root/.ssh/id_ed25519");
        let known = format!("node*,127.0.1.* {host_key}");
        etc.write("home/root/.ssh/known_hosts", &known);
        etc.write("home/root/.ssh/authorized_keys", &key);
        etc.write("home/tester/.ssh/authorized_keys", &key);
        let (user, uid) = crate::etc::TESTER;
        chown(etc.home(user).join(".ssh"), Some(uid), Some(uid)).expect("an owner");
        let home = etc.home("root").join(".ssh");
        etc.write(
            "home/root/.ssh/config_for_all",
            &format!(
                "IdentityFile {0}/id_ed25519\nUserKnownHostsFile {0}/known_hosts\n",
                home.display()
            ),
        );
        let config = etc.write("etc/sshd_config", CONFIG);
        let mut server = etc.server("/usr/sbin/sshd");
        let server = Process::start(server.args(["-D", "-e", "-f"]).arg(config));
        wait_until("sshd listens (is openssh-server there?)", || {
            states::on_port(22).iter().any(|socket| socket.state == State::Listen)
        });
        Self { _server: server, etc }
    }

    /// One of its addresses, from 1 to [`ADDRESSES`]. `node1` is the first one's name, and so on.
    pub const fn address(number: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, 0, 1, number)
    }

    /// A command of a client: it knows the names, and `ssh` started by it is let in.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        self.etc.command(program)
    }

    /// What `ssh -F` needs of one that was not started so. It knows the addresses, not the names.
    pub fn config(&self) -> PathBuf {
        self.etc.home("root").join(".ssh/config_for_all")
    }

    /// The files of server and clients.
    pub const fn etc(&self) -> &Etc {
        &self.etc
    }
}

/// Makes a key and returns its public half.
fn new_key(etc: &Etc, path: &str) -> String {
    let path = etc.write(path, "");
    fs::remove_file(&path).expect("its own file");
    if let Some(directory) = path.parent().filter(|directory| directory.ends_with(".ssh")) {
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).expect("a mode");
    }
    let mut keygen = Command::new("ssh-keygen");
    let made = run(keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f"]).arg(&path));
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    fs::read_to_string(path.with_extension("pub")).expect("a public key")
}

/// So many addresses.
pub const ADDRESSES: u8 = 200;

/// As Debian has it, except that nobody is turned away for coming with many others.
const CONFIG: &str = "\
HostKey /etc/ssh_host_key
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 1000
MaxSessions 1000
PidFile none
UseDNS no
LogLevel ERROR
";
