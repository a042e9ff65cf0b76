//! What a process used: this one so far, and a child once it has ended.

use crate::{Error, Result, sys};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::time::Duration;

/// What a process and the children it waited for used (`getrusage(2)`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Usage {
    /// Processor time in user mode and in the kernel together.
    pub cpu: Duration,
    /// The most memory it had resident at once (`ru_maxrss`), in KiB. Counts that of the process which started it, as
    /// far as that was more.
    pub peak_kib: u64,
}

/// The processor time that the calling process has used, all of its threads together.
pub fn own_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Waits for the child to end.
pub fn wait(child: Child) -> Result<(ExitStatus, Usage)> {
    let pid = child.id();
    let (status, raw) = sys::usage::wait4(pid.cast_signed())
        .map_err(|cause| Error::new("wait for", format!("pid {pid}"), cause))?;
    let usage = Usage {
        cpu: duration(raw.ru_utime) + duration(raw.ru_stime),
        peak_kib: u64::try_from(raw.ru_maxrss).unwrap_or_default(),
    };
    drop(child);
    Ok((ExitStatus::from_raw(status), usage))
}

fn duration(time: libc::timeval) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_micros(time.tv_usec.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_child_that_worked_used_time_and_memory_and_its_status_is_kept() {
        let script = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exit 3";
        let child = Command::new("sh").args(["-c", script]).spawn().expect("sh");
        let (status, usage) = wait(child).expect("its usage");
        assert_eq!(status.code(), Some(3));
        assert!(usage.cpu > Duration::ZERO && usage.peak_kib > 0, "{usage:?}");
    }
}
