//! Reading and writing one setting below `/proc/sys`, which shows the calling thread's namespace.
//!
//! Whether a value makes sense is not judged here. A write is checked beforehand by opening the file, which changes
//! nothing, and afterwards by reading the value back.

use crate::{Error, Result};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};

/// The value as the kernel shows it; `None` where this kernel or this namespace does not have the setting.
pub fn read(path: &str) -> Result<Option<String>> {
    let file = file(path);
    match fs::read_to_string(&file) {
        Ok(text) => Ok(Some(text)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(Error::new("read", file, cause)),
    }
}

/// Fails as a write would for want of rights, without writing.
pub fn check_writable(path: &str) -> Result<()> {
    OpenOptions::new().write(true).open(file(path)).map(drop).map_err(|cause| refused(path, cause))
}

/// Writes a value and returns what the kernel shows then.
pub fn write(path: &str, value: &str) -> Result<String> {
    let line = format!("{value}\n");
    let written = OpenOptions::new()
        .write(true)
        .open(file(path))
        .and_then(|mut file| file.write(line.as_bytes()))
        .map_err(|cause| refused(path, cause))?;
    if written != line.len() {
        let part = io::Error::new(io::ErrorKind::WriteZero, "the kernel took only part of it");
        return Err(refused(path, part));
    }
    let file = file(path);
    fs::read_to_string(&file).map_err(|cause| Error::new("read", file, cause))
}

fn refused(path: &str, cause: io::Error) -> Error {
    let remedy = match cause.raw_os_error() {
        Some(libc::EACCES | libc::EPERM) => {
            "needs CAP_NET_ADMIN over this network namespace: run as root"
        }
        Some(libc::EROFS) => {
            "/proc/sys is mounted read-only, as in most containers: set it from the host in the container's network \
             namespace, or when the container is made (--sysctl)"
        }
        Some(libc::ENOENT) => "this kernel, or this network namespace, does not have it",
        Some(libc::EINVAL) => "the kernel does not take this value",
        _ => "it is as it was",
    };
    Error::new("write", file(path), cause).with_remedy(remedy)
}

fn file(path: &str) -> String {
    format!("/proc/sys/{path}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::namespace::enter_fresh_network;

    const TIMEOUT: &str = "net/ipv4/tcp_fin_timeout";

    #[test]
    fn a_value_written_is_the_value_read_back() {
        enter_fresh_network();
        check_writable(TIMEOUT).expect("root may write");
        assert_eq!(write(TIMEOUT, "7").expect("written"), "7\n");
        assert_eq!(read(TIMEOUT).expect("read"), Some("7\n".into()));
    }

    #[test]
    fn an_empty_list_clears_what_was_there() {
        enter_fresh_network();
        let reserved = "net/ipv4/ip_local_reserved_ports";
        assert_eq!(write(reserved, "8080,9000-9100").expect("written"), "8080,9000-9100\n");
        assert_eq!(write(reserved, "").expect("written"), "\n");
    }

    #[test]
    fn a_value_that_the_kernel_refuses_changes_nothing_and_says_so() {
        enter_fresh_network();
        let error = write("net/ipv4/tcp_tw_reuse", "9").expect_err("no such mode").to_string();
        assert!(error.contains("does not take this value"), "{error}");
        assert_eq!(read("net/ipv4/tcp_tw_reuse").expect("read"), Some("2\n".into()));
    }

    #[test]
    fn a_setting_that_is_not_there_is_none_to_read_and_an_error_to_write() {
        assert_eq!(read("net/ipv4/tcp_tw_recycle").expect("no error"), None);
        let error = write("net/ipv4/tcp_tw_recycle", "1").expect_err("it is gone").to_string();
        assert!(error.contains("does not have it"), "{error}");
    }
}
