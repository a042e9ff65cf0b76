//! An `/etc` of one's own for servers and their clients: names, users and whom they trust, as a test wants them.
//!
//! Every process started with it has a mount namespace of its own, in which a directory made for the test stands where
//! `/etc` is, and `/run` is empty: pid files and logs go nowhere. The machine's own files are not changed, and its
//! settings change nothing here. The directory and the homes in it end with the value.

use crate::privilege::require_root;
use crate::program::run;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Such an `/etc`, and the homes of its users.
#[derive(Debug)]
pub struct Etc {
    directory: PathBuf,
}

impl Etc {
    /// One with these names for these addresses. Its users are `root` and [`TESTER`].
    ///
    /// # Panics
    ///
    /// When it cannot be made.
    pub fn new(names: &[(IpAddr, String)]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        require_root();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("lastack-etc-{}-{number}", std::process::id());
        let etc = Self { directory: std::env::temp_dir().join(name) };
        fs::create_dir(&etc.directory).expect("a directory of its own");
        for (user, uid) in USERS {
            let home = etc.home(user);
            fs::create_dir_all(&home).expect("a home");
            chown(&home, Some(uid), Some(uid)).expect("a home of one's own");
        }
        fs::create_dir_all(etc.directory.join("etc/pam.d")).expect("a directory");
        for (file, text) in [
            ("group", "root:x:0:\ntester:x:12345:\nsshd:x:12346:\n"),
            ("shells", "/bin/sh\n/bin/bash\n"),
            ("nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files\n"),
            ("host.conf", "multi on\n"),
            ("protocols", "ip 0 IP\ntcp 6 TCP\nudp 17 UDP\n"),
            ("services", "ssh 22/tcp\nexec 512/tcp\nlogin 513/tcp\nshell 514/tcp cmd\n"),
            ("pam.d/rsh", PAM_RSH),
            ("pam.d/other", "auth required pam_deny.so\naccount required pam_deny.so\n"),
        ] {
            etc.write(&format!("etc/{file}"), text);
        }
        etc.write("etc/passwd", &etc.passwd());
        etc.write("etc/shadow", "root:*:19000::::::\ntester:*:19000::::::\n");
        etc.write("etc/hosts", &hosts(names));
        etc.keep();
        etc
    }

    /// Writes a file, which root owns and others may read. The path begins with `etc/` or `home/`.
    ///
    /// # Panics
    ///
    /// When it cannot be written.
    pub fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.directory.join(path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("a mode");
        path
    }

    /// Where a user's files are.
    pub fn home(&self, user: &str) -> PathBuf {
        self.directory.join("home").join(user)
    }

    /// A command that has this `/etc`. It keeps the pid under which it is started.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("unshare");
        self.furnish(command.arg("--mount")).arg(program);
        command
    }

    /// A server that has it, and a process namespace too: whatever it leaves behind ends with it.
    pub fn server(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
        self.furnish(&mut command).arg(program);
        command
    }

    fn furnish<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("HOME", self.home("root"));
        // Tests that run in the background of a shell inherit interrupts that are ignored.
        command.args(["--", "env", "--default-signal=INT", "sh", "-c", FURNISH, "sh"]);
        command.arg(&self.directory)
    }

    fn passwd(&self) -> String {
        let mut text = String::from("sshd:x:12346:12346::/run/sshd:/usr/sbin/nologin\n");
        for (user, uid) in USERS {
            let home = self.home(user);
            let _ = writeln!(text, "{user}:x:{uid}:{uid}::{}:/bin/sh", home.display());
        }
        text
    }

    /// Takes over what programs need to run at all.
    fn keep(&self) {
        for name in KEPT.map(|name| Path::new("/etc").join(name)) {
            if name.exists() {
                let mut copy = Command::new("cp");
                let copied = run(copy.arg("-a").arg(&name).arg(self.directory.join("etc")));
                assert_eq!(copied.code, Some(0), "{}", copied.stderr);
            }
        }
    }
}

impl Drop for Etc {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn hosts(names: &[(IpAddr, String)]) -> String {
    let mut text = String::from("127.0.0.1 localhost\n::1 localhost\n");
    for (address, name) in names {
        let _ = writeln!(text, "{address} {name}");
    }
    text
}

/// A user who is not root, without a password, whose shell is `sh`.
pub const TESTER: (&str, u32) = ("tester", 12345);

const USERS: [(&str, u32); 2] = [("root", 0), TESTER];
/// What Debian's has, without the machine's own account and session modules.
const PAM_RSH: &str = "\
auth required pam_rhosts.so
account required pam_permit.so
session required pam_permit.so
";
/// The names of programs, where libraries are, and the settings of the programs that ours is compared with.
const KEPT: [&str; 5] = ["alternatives", "ld.so.cache", "clustershell", "pdsh", "localtime"];
/// The first argument is the directory; the others are run.
const FURNISH: &str = r#"
mount --bind "$1/etc" /etc && mount -t tmpfs -o mode=755 none /run && mkdir /run/sshd &&
    shift && exec "$@""#;
