//! The words of ssh's command line.

use super::Settings;
use crate::{Stdin, Task};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

/// Options, the user's first: of several values for the same ssh takes the first.
pub(super) fn options(settings: &Settings, task: &Task) -> Vec<OsString> {
    let mut words = Vec::new();
    let mut option = |text: String| words.extend(["-o".into(), OsString::from(text)]);
    for text in &settings.options {
        option(text.clone());
    }
    // Nobody is there to be asked for a password.
    option("BatchMode=yes".into());
    option(format!("ConnectTimeout={}", seconds(task.limits.connect)));
    // A server that vanished is noticed after a minute.
    option("ServerAliveInterval=20".into());
    option("ServerAliveCountMax=3".into());
    // Ports that the configuration forwards could be had by one host only.
    option("ClearAllForwardings=yes".into());
    if let Some(port) = settings.port {
        option(format!("Port={port}"));
    }
    words.push("-T".into());
    if let Some(user) = &task.user {
        words.extend(["-l".into(), OsString::from(&**user)]);
    }
    words
}

/// Sharing of the connection by a socket in this folder.
pub(super) fn sharing(folder: &Path, stays: Duration) -> [OsString; 6] {
    let mut path = OsString::from("ControlPath=");
    path.push(folder.join("%C"));
    let stays = format!("ControlPersist={}", seconds(stays));
    let o = || OsString::from("-o");
    [o(), "ControlMaster=auto".into(), o(), path, o(), stays.into()]
}

/// The host, which cannot be taken for an option, and the command as one word.
pub(super) fn target(task: &Task) -> [OsString; 3] {
    ["--".into(), OsString::from(&*task.host), OsStr::from_bytes(&task.command).to_owned()]
}

/// Whether there is anything to read.
pub(super) fn reads(stdin: &Stdin) -> bool {
    matches!(stdin, Stdin::Octets(octets) if !octets.is_empty())
}

/// Whole seconds, at least one: 0 would mean for ever.
fn seconds(time: Duration) -> u64 {
    (time.as_secs() + u64::from(time.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    #[test]
    fn the_users_options_come_first_and_the_host_is_never_an_option() {
        let settings = Settings {
            port: Some(2222),
            options: vec!["BatchMode=no".into()],
            ..Settings::default()
        };
        let limits = Limits { connect: Duration::from_millis(1500), ..Limits::default() };
        let task = Task {
            host: "fe80::1%eth0".into(),
            user: Some("root".into()),
            command: b"echo '\xff'".as_slice().into(),
            stdin: Stdin::Nothing,
            limits,
        };
        let words = options(&settings, &task);
        assert_eq!(words[1], "BatchMode=no");
        assert!(words.contains(&"ConnectTimeout=2".into()), "{words:?}");
        assert!(words.contains(&"Port=2222".into()), "{words:?}");
        let [dashes, host, command] = target(&task);
        assert_eq!((dashes, host), ("--".into(), "fe80::1%eth0".into()));
        assert_eq!(command.as_bytes(), b"echo '\xff'");
    }

    #[test]
    fn a_time_is_never_so_short_that_it_means_for_ever() {
        assert_eq!(seconds(Duration::ZERO), 1);
        assert_eq!(seconds(Duration::from_secs(3)), 3);
        assert_eq!(seconds(Duration::from_millis(3001)), 4);
    }
}
