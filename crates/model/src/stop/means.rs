//! The ways to stop a process, and the exact command for each: what a person would type is what is run.

use crate::facts::{Process, Supervisor};
use crate::ids::{Inode, Pid, Uid};

/// How processes are stopped.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Means {
    /// Nobody manages them: SIGTERM to each.
    Terminate,
    /// A unit of the system's service manager.
    SystemUnit(String),
    /// A unit of a user's service manager.
    UserUnit {
        /// Its name.
        unit: String,
        /// Whose.
        user: UserManager,
    },
    /// A socket unit: the service manager itself holds the socket, lets go of it and lives on.
    SocketUnit {
        /// Its name.
        unit: String,
        /// The socket that is let go.
        inode: Inode,
        /// The user whose service manager it is; `None` for the system's.
        user: Option<UserManager>,
    },
    /// A Docker container, by its id.
    Docker(String),
    /// A Podman container, by its id.
    Podman(String),
    /// A program of supervisord.
    Supervisord {
        /// `group:name`.
        program: String,
        /// The address of its server.
        server: String,
    },
    /// A program of PM2.
    Pm2 {
        /// Its number.
        program: String,
        /// The daemon's home.
        home: String,
        /// The daemon's user.
        uid: Uid,
    },
    /// A service of runit, by its directory.
    Runit(String),
    /// A service of s6, by its directory.
    S6(String),
    /// A service of daemontools, by its directory.
    Daemontools(String),
    /// A development watcher, which ends what it runs when it ends.
    Watcher {
        /// Its process.
        pid: Pid,
        /// What it is called.
        name: String,
    },
}

/// A user's service manager.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct UserManager {
    /// The user.
    pub uid: Uid,
    /// Its run-time directory, in which it is reached.
    pub directory: String,
}

/// A command: the program, its arguments, and in which role it runs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Invocation {
    /// The program and its arguments.
    pub arguments: Vec<String>,
    /// Variables of its environment.
    pub environment: Vec<(&'static str, String)>,
    /// As whom it must run; `None` where it is told by rights alone.
    pub user: Option<Uid>,
}

impl Means {
    /// How a supervisor of several programs is told to stop one; `None` where its name for it is not known exactly.
    pub(super) fn of_keeper(supervisor: &Supervisor) -> Option<Self> {
        let program = supervisor.program.clone()?;
        let control = supervisor.control.clone();
        match supervisor.name.as_str() {
            "supervisord" => Some(Self::Supervisord { program, server: control? }),
            "pm2" => Some(Self::Pm2 { program, home: control?, uid: supervisor.uid? }),
            "runsv" => Some(Self::Runit(program)),
            "s6-supervise" => Some(Self::S6(program)),
            "supervise" => Some(Self::Daemontools(program)),
            _ => None,
        }
    }

    /// The exact command that a person would type to stop these processes.
    pub fn command(&self, processes: &[Process]) -> String {
        let Some(run) = self.invocation() else {
            let mut pids: Vec<Pid> = match self {
                Self::Watcher { pid, .. } => vec![*pid],
                _ => processes.iter().map(|process| process.pid).collect(),
            };
            pids.sort_unstable();
            pids.dedup();
            let pids: Vec<String> = pids.iter().map(ToString::to_string).collect();
            return format!("kill -TERM {}", pids.join(" "));
        };
        let arguments = run.arguments.iter().map(|argument| shown(argument, self));
        let environment = run.environment.iter().filter(|_| !run.is_usual());
        let environment = environment.map(|(name, value)| format!("{name}={}", quoted(value)));
        let line: Vec<String> = environment.chain(arguments).collect();
        match self {
            Self::SystemUnit(_) | Self::SocketUnit { user: None, .. } => {
                format!("sudo {}", line.join(" "))
            }
            _ => line.join(" "),
        }
    }

    /// The program that is run for it; `None` where signals are sent.
    pub fn invocation(&self) -> Option<Invocation> {
        let arguments: Vec<&str> = match self {
            Self::Terminate | Self::Watcher { .. } => return None,
            Self::SystemUnit(unit) | Self::SocketUnit { unit, user: None, .. } => {
                vec!["systemctl", "stop", unit]
            }
            Self::UserUnit { unit, .. } | Self::SocketUnit { unit, .. } => {
                vec!["systemctl", "--user", "stop", unit]
            }
            Self::Docker(id) => vec!["docker", "stop", id],
            Self::Podman(id) => vec!["podman", "stop", id],
            Self::Supervisord { program, server } => {
                vec!["supervisorctl", "-s", server, "stop", program]
            }
            Self::Pm2 { program, .. } => vec!["pm2", "stop", program],
            Self::Runit(directory) => vec!["sv", "stop", directory],
            Self::S6(directory) => vec!["s6-svc", "-d", directory],
            Self::Daemontools(directory) => vec!["svc", "-d", directory],
        };
        let (environment, user) = match self {
            Self::UserUnit { user, .. } | Self::SocketUnit { user: Some(user), .. } => {
                (vec![("XDG_RUNTIME_DIR", user.directory.clone())], Some(user.uid))
            }
            Self::Pm2 { home, uid, .. } => (vec![("PM2_HOME", home.clone())], Some(*uid)),
            _ => (Vec::new(), None),
        };
        let arguments = arguments.into_iter().map(Into::into).collect();
        Some(Invocation { arguments, environment, user })
    }

    /// What it does, as a clause.
    pub fn words(&self) -> String {
        match self {
            Self::Terminate => "ask the process to end (SIGTERM)".into(),
            Self::SystemUnit(unit) => format!("stop the unit {unit}"),
            Self::UserUnit { unit, .. } => format!("stop the user unit {unit}"),
            Self::SocketUnit { unit, .. } => {
                format!("stop the socket unit {unit}, for which the service manager listens")
            }
            Self::Docker(id) => format!("stop the Docker container {}", short(id)),
            Self::Podman(id) => format!("stop the Podman container {}", short(id)),
            Self::Supervisord { program, .. } => format!("have supervisord stop {program}"),
            Self::Pm2 { program, .. } => format!("have PM2 stop its program {program}"),
            Self::Runit(directory) => format!("have runit stop the service {directory}"),
            Self::S6(directory) => format!("have s6 stop the service {directory}"),
            Self::Daemontools(directory) => {
                format!("have daemontools stop the service {directory}")
            }
            Self::Watcher { pid, name } => {
                format!("end {name} (pid {pid}), which would start the program again")
            }
        }
    }
}

impl Invocation {
    /// Whether the person's own environment is the one that is wanted, as in any login of theirs.
    fn is_usual(&self) -> bool {
        self.environment.iter().all(|(name, value)| {
            *name == "XDG_RUNTIME_DIR"
                && self.user.is_some_and(|uid| *value == format!("/run/user/{uid}"))
        })
    }
}

/// An argument as a person types it; container engines take the first twelve digits of an id.
fn shown(argument: &str, means: &Means) -> String {
    match means {
        Means::Docker(id) | Means::Podman(id) if id == argument => short(id).to_owned(),
        _ => quoted(argument),
    }
}

fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// Quoted for a shell where it needs to be.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}
