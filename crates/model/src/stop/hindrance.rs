//! Why a holder cannot be stopped from here, and what a person can do about it.

use crate::facts::{Process, Service, ServiceKind, Supervisor};
use crate::ids::Pid;

/// What stands against stopping a holder.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Hindrance {
    /// The descriptor waits in a queue, where nobody can close it without receiving it.
    InFlight {
        /// The process that has the queue.
        pid: Pid,
        /// Its short name.
        name: String,
        /// The descriptor of the Unix socket in whose queue it waits.
        carrier: i32,
    },
    /// It is the first process, which no signal ends from within its PID namespace.
    Init {
        /// Its short name.
        name: String,
    },
    /// It is the one who asks, which inherited the socket and lets go of it by ending.
    Itself {
        /// The descriptor that it inherited.
        descriptor: i32,
    },
    /// It is what the one who asks runs in.
    Ourselves {
        /// The process.
        pid: Pid,
        /// Its short name.
        name: String,
    },
    /// Its supervisor would start it again and cannot be told by name to stop it.
    Restarted {
        /// The process.
        pid: Pid,
        /// Its short name.
        name: String,
        /// The supervisor.
        by: Box<Supervisor>,
        /// What to do instead.
        advice: String,
    },
    /// It is itself a supervisor of several programs, which all end with it.
    Keeper {
        /// The process.
        pid: Pid,
        /// Its short name.
        name: String,
    },
    /// It is kept by a supervisor inside a container, which is reached from there alone.
    KeptInContainer {
        /// The process.
        pid: Pid,
        /// Its short name.
        name: String,
        /// The container.
        container: Service,
        /// The supervisor in it.
        by: Box<Supervisor>,
    },
    /// It belongs to a pod, which the cluster would start again.
    Kubernetes {
        /// The process.
        pid: Pid,
        /// Its short name.
        name: String,
        /// The container's id.
        container: String,
    },
    /// It holds a published port for a container that cannot be named from here.
    Published {
        /// The process.
        pid: Pid,
        /// Its short name.
        name: String,
        /// The container engine's command.
        engine: String,
        /// The published port, where it is among the arguments.
        port: Option<String>,
    },
}

impl Hindrance {
    pub(super) fn restarted(process: &Process, by: &Supervisor) -> Self {
        Self::Restarted {
            pid: process.pid,
            name: process.name.clone(),
            by: Box::new(by.clone()),
            advice: restart_advice(by),
        }
    }

    /// Why it cannot be stopped from here.
    pub fn words(&self) -> String {
        match self {
            Self::InFlight { pid, name, carrier } => format!(
                "the socket seems to be in flight, in the queue of descriptor {carrier} of {name} (pid {pid}): no \
                 process can close it there"
            ),
            Self::Init { name } => format!(
                "{name} is the first process (pid 1): no signal ends it from within its PID namespace, and the system \
                 ends with it"
            ),
            Self::Itself { descriptor } => {
                format!("lastack itself inherited the socket, as descriptor {descriptor}")
            }
            Self::Ourselves { pid, name } => {
                format!(
                    "{name} (pid {pid}) is what lastack runs in, and would take lastack with it"
                )
            }
            Self::Restarted { pid, name, by, .. } => {
                format!("{} would start {name} (pid {pid}) again", by.name)
            }
            Self::Keeper { pid, name } => format!(
                "{name} (pid {pid}) is a supervisor: every program that it runs would end with it"
            ),
            Self::KeptInContainer { pid, name, by, .. } => {
                format!("{} inside a container would start {name} (pid {pid}) again", by.name)
            }
            Self::Kubernetes { pid, name, .. } => {
                format!("{name} (pid {pid}) belongs to a pod, which the cluster would start again")
            }
            Self::Published { pid, name, .. } => {
                format!("{name} (pid {pid}) only holds the published port of a container")
            }
        }
    }

    /// What a person can do about it.
    pub fn advice(&self) -> String {
        match self {
            Self::InFlight { pid, .. } => {
                format!("let pid {pid} receive the descriptor and close it, or stop pid {pid}")
            }
            Self::Init { .. } => {
                "from outside the PID namespace, stop the container; if a socket unit listens, stop that".into()
            }
            Self::Itself { descriptor } => {
                format!("start it without that descriptor (`lastack free ... {descriptor}<&-`)")
            }
            Self::Ourselves { pid, .. } => {
                format!("run lastack from another terminal, or name pid {pid} expressly")
            }
            Self::Restarted { advice, .. } => advice.clone(),
            Self::Keeper { pid, .. } => format!(
                "have it stop the one program that it listens for (PM2 in cluster mode: `pm2 ls`, `pm2 stop NAME`), \
                 or name pid {pid} expressly"
            ),
            Self::KeptInContainer { container, by, .. } => {
                let engine = match container.kind {
                    ServiceKind::Podman => "podman",
                    _ => "docker",
                };
                let id = container.name.get(..12).unwrap_or(&container.name);
                format!(
                    "ask {} in it (`{engine} exec {id} {}`), or stop all of it (`{engine} stop {id}`)",
                    by.name,
                    stop_example(by)
                )
            }
            Self::Kubernetes { .. } => {
                "scale its workload down (`kubectl scale --replicas=0 ...`) or delete the pod".into()
            }
            Self::Published { engine, port, .. } => match (engine.as_str(), port) {
                ("docker", Some(port)) => format!(
                    "stop the container that publishes it: `docker ps --filter publish={port}` names it"
                ),
                _ => format!("stop the container that publishes it: `{engine} ps` lists them with their ports"),
            },
        }
    }
}

fn restart_advice(by: &Supervisor) -> String {
    match by.name.as_str() {
        "systemd" | "systemd --user" | "docker" | "podman" => {
            "stop its unit or container from outside of it".into()
        }
        _ => format!("have it stop that one program: `{}`", stop_example(by)),
    }
}

/// How such a supervisor is told to stop one program, with the name left for the reader where it is not known.
fn stop_example(by: &Supervisor) -> String {
    let program = by.program.as_deref();
    match by.name.as_str() {
        "supervisord" => format!("supervisorctl stop {}", program.unwrap_or("NAME")),
        "pm2" => format!("pm2 stop {}", program.unwrap_or("NAME")),
        "runsv" => format!("sv stop {}", program.unwrap_or("DIRECTORY")),
        "s6-supervise" => format!("s6-svc -d {}", program.unwrap_or("DIRECTORY")),
        "supervise" => format!("svc -d {}", program.unwrap_or("DIRECTORY")),
        "monit" => "monit stop NAME".into(),
        "god" => "god stop NAME".into(),
        "circusd" => "circusctl stop NAME".into(),
        other => format!("{other} stop NAME"),
    }
}
