//! Finding a program as `execvp` would, before it is run.

use rustix::fs::{Access, AtFlags, CWD, accessat};
use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The file that would be run: the one named, or where there is no slash in the name the first in `PATH` that this
/// process may execute.
pub fn find_program(name: &OsStr) -> io::Result<PathBuf> {
    if name.as_bytes().contains(&b'/') {
        return executable(Path::new(name)).map(|()| name.into());
    }
    let mut worst = not_found();
    if name.is_empty() {
        return Err(worst);
    }
    let folders = env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    for folder in env::split_paths(&folders) {
        let path = Path::new(".").join(folder).join(name);
        match executable(&path) {
            Ok(()) => return Ok(path),
            // Found, and not allowed, is told before not found. A folder that may not be searched is passed over, as shells
            // do; to `execvp` it would be a program that may not be run.
            Err(cause) if path.exists() => worst = cause,
            Err(_) => {}
        }
    }
    Err(worst)
}

fn executable(path: &Path) -> io::Result<()> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::from_raw_os_error(libc::EACCES));
    }
    Ok(accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS)?)
}

fn not_found() -> io::Error {
    io::Error::from_raw_os_error(libc::ENOENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_in_the_path_or_where_it_is_named() {
        let sh = find_program(OsStr::new("sh")).expect("sh");
        assert!(sh.ends_with("sh") && sh.is_absolute(), "{}", sh.display());
        assert_eq!(find_program(OsStr::new("/bin/sh")).expect("sh"), Path::new("/bin/sh"));
    }

    #[test]
    fn what_cannot_be_run_is_told_apart() {
        let kind = |name: &str| find_program(OsStr::new(name)).expect_err("no program").kind();
        assert_eq!(kind("no-such-program-anywhere"), io::ErrorKind::NotFound);
        assert_eq!(kind("./no/such/program"), io::ErrorKind::NotFound);
        assert_eq!(kind("/etc/passwd"), io::ErrorKind::PermissionDenied);
        assert_eq!(kind("/etc/"), io::ErrorKind::PermissionDenied);
        assert_eq!(kind(""), io::ErrorKind::NotFound);
    }
}
