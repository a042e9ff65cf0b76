//! The end of shared connections: each socket in the folder is a master that is told to exit.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Ends all of them; one that does not answer ends by itself a little later.
pub(super) async fn end_all(program: &Path, folder: &Path) {
    let mut sockets = sockets(folder).into_iter();
    let mut running = JoinSet::new();
    loop {
        while running.len() < AT_ONCE
            && let Some(socket) = sockets.next()
        {
            running.spawn(end(program.to_owned(), socket));
        }
        if running.join_next().await.is_none() {
            return;
        }
    }
}

async fn end(program: PathBuf, socket: PathBuf) {
    let mut path = std::ffi::OsString::from("ControlPath=");
    path.push(&socket);
    let mut command = Command::new(program);
    // The host is asked for by the grammar alone; no configuration is read that could name another socket.
    command.args(["-F", "none", "-o"]).arg(path).args(["-O", "exit", "--", "master"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    if let Ok(mut child) = command.spawn() {
        let _ = timeout(PATIENCE, child.wait()).await;
    }
}

fn sockets(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

const AT_ONCE: usize = 16;
const PATIENCE: Duration = Duration::from_secs(2);
