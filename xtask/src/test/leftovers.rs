//! Processes that a test left behind: they would hold the output open, and whoever waits for its end would wait for them.
//!
//! They become children of this process when their parents end (`PR_SET_CHILD_SUBREAPER`), which is how they are told from
//! everybody else's.

use rustix::process::{
    Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, waitpid,
};
use std::fs;

/// Makes this process the parent of whatever its descendants leave behind. False where the kernel refuses.
pub(super) fn adopt() -> bool {
    set_child_subreaper(Some(getpid())).is_ok()
}

/// Ends what was left behind, and names it: a test should have.
pub(super) fn end() {
    // What ends leaves its own children to us.
    for _ in 0..GENERATIONS {
        let left = children();
        if left.is_empty() {
            return;
        }
        for pid in left {
            if let Some(name) = living(pid) {
                eprintln!("xtask: a test left {name} behind, pid {pid}: ended");
                let _gone_is_fine = kill_process(pid, Signal::KILL);
            }
            let _reaped = waitpid(Some(pid), WaitOptions::empty());
        }
    }
}

/// The name of a process that still runs. What ended after its parent only waits to be reaped.
fn living(pid: Pid) -> Option<String> {
    let number = lastack_model::ids::Pid(pid.as_raw_nonzero().get().unsigned_abs());
    let name = lastack_os::process::stat(number)?.name;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    (!status.contains("State:\tZ")).then_some(name)
}

/// The children of every thread of this process.
fn children() -> Vec<Pid> {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let lists =
        threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<i32>>()
        })
        .filter_map(Pid::from_raw)
        .collect()
}

/// Deeper than any tree of processes that a test starts.
const GENERATIONS: usize = 8;
