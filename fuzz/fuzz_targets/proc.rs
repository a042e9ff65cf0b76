//! Lines of /proc: a process chooses its own name, so any text may stand there.
#![no_main]

use lastack_os::{holders, host, process};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Some(stat) = process::parse_stat(text) {
        assert!(text.contains(&stat.name), "a name from nowhere: {:?}", stat.name);
    }
    let _any = process::parse_credentials(text);
    let _any = process::parse_cgroup(text);
    let _any = process::service_of_path(text);
    let _any = holders::parse_socket_link(text.as_bytes());
    let _any = host::parse_port_set(text);
    for field in ["scm_fds", "pos", ""] {
        if let Some(value) = holders::parse_fdinfo(text, field) {
            assert!(text.contains(value), "a value from nowhere: {value:?}");
        }
    }
});
