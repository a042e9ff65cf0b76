//! The settings under `/proc/sys/net`, which show the calling thread's namespace.

use crate::{Error, Result};
use lastack_model::facts::{PortRange, PortSet, Sysctls};
use lastack_model::ids::Port;
use std::io;

/// Reads the settings that touch ports. One that this kernel does not have keeps its default.
pub fn sysctls() -> Result<Sysctls> {
    let mut all = Sysctls::default();
    set(&mut all.unprivileged_port_start, u16::MAX, "ipv4/ip_unprivileged_port_start")?;
    set(&mut all.fin_timeout_s, u32::MAX, "ipv4/tcp_fin_timeout")?;
    set(&mut all.tw_reuse, u8::MAX, "ipv4/tcp_tw_reuse")?;
    set(&mut all.tw_reuse_delay_ms, u32::MAX, "ipv4/tcp_tw_reuse_delay")?;
    set(&mut all.timestamps, u8::MAX, "ipv4/tcp_timestamps")?;
    set(&mut all.max_tw_buckets, u32::MAX, "ipv4/tcp_max_tw_buckets")?;
    set(&mut all.max_orphans, u32::MAX, "ipv4/tcp_max_orphans")?;
    set(&mut all.orphan_retries, u8::MAX, "ipv4/tcp_orphan_retries")?;
    set(&mut all.retries2, u8::MAX, "ipv4/tcp_retries2")?;
    set(&mut all.syn_retries, u8::MAX, "ipv4/tcp_syn_retries")?;
    set(&mut all.syn_linear_timeouts, u8::MAX, "ipv4/tcp_syn_linear_timeouts")?;
    set(&mut all.rto_max_ms, u32::MAX, "ipv4/tcp_rto_max_ms")?;
    set_switch(&mut all.nonlocal_bind_v4, "ipv4/ip_nonlocal_bind")?;
    set_switch(&mut all.nonlocal_bind_v6, "ipv6/ip_nonlocal_bind")?;
    set_switch(&mut all.autobind_reuse, "ipv4/ip_autobind_reuse")?;
    set_switch(&mut all.bind_v6only, "ipv6/bindv6only")?;
    set_switch(&mut all.rfc1337, "ipv4/tcp_rfc1337")?;
    if let Some(text) = read("ipv4/ip_local_port_range")? {
        let name = "ipv4/ip_local_port_range";
        all.local_port_range = parse_range(&text).ok_or_else(|| unreadable(name, &text))?;
    }
    if let Some(text) = read("ipv4/ip_local_reserved_ports")? {
        let name = "ipv4/ip_local_reserved_ports";
        all.reserved_ports = parse_port_set(&text).ok_or_else(|| unreadable(name, &text))?;
    }
    Ok(all)
}

/// Reads a list of ports and ranges, as in `8080,9000-9100`.
pub fn parse_port_set(text: &str) -> Option<PortSet> {
    let ranges = text.trim().split(',').filter(|item| !item.is_empty()).map(|item| {
        let (low, high) = item.split_once('-').unwrap_or((item, item));
        in_order(low.parse().ok()?, high.parse().ok()?)
    });
    ranges.collect::<Option<Vec<_>>>().map(PortSet)
}

fn parse_range(text: &str) -> Option<PortRange> {
    let mut words = text.split_whitespace();
    in_order(words.next()?.parse().ok()?, words.next()?.parse().ok()?)
}

fn in_order(low: u16, high: u16) -> Option<PortRange> {
    (low <= high).then_some(PortRange { low: Port(low), high: Port(high) })
}

/// What is larger than we can hold (older kernels let some counts be any integer) is as good as the largest.
fn set<T: TryFrom<u32>>(to: &mut T, largest: T, name: &str) -> Result<()> {
    if let Some(text) = read(name)? {
        let value = text.trim().parse::<u32>().map_err(|_| unreadable(name, &text))?;
        *to = T::try_from(value).unwrap_or(largest);
    }
    Ok(())
}

fn set_switch(to: &mut bool, name: &str) -> Result<()> {
    let mut value = u32::from(*to);
    set(&mut value, u32::MAX, name)?;
    *to = value != 0;
    Ok(())
}

fn read(name: &str) -> Result<Option<String>> {
    let path = path(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(Error::new("read", path, cause)),
    }
}

fn unreadable(name: &str, text: &str) -> Error {
    let cause = io::Error::new(io::ErrorKind::InvalidData, format!("unexpected {:?}", text.trim()));
    Error::new("read", path(name), cause)
}

fn path(name: &str) -> String {
    format!("/proc/sys/net/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::namespace::enter_fresh_network;
    use proptest::prelude::*;

    #[test]
    fn reserved_ports_are_read_as_the_kernel_writes_them() {
        let range = |low, high| PortRange { low: Port(low), high: Port(high) };
        assert_eq!(parse_port_set("\n"), Some(PortSet(vec![])));
        let set = parse_port_set("8080,9000-9100\n").expect("a list");
        assert_eq!(set, PortSet(vec![range(8080, 8080), range(9000, 9100)]));
        assert!(set.contains(Port(9050)) && !set.contains(Port(9101)));
        assert_eq!(parse_port_set("8080,x"), None);
        assert_eq!(parse_port_set("70000"), None);
        assert_eq!(parse_port_set("9-8"), None);
    }

    #[test]
    fn settings_are_those_of_the_calling_threads_namespace() {
        enter_fresh_network();
        let write = |name, value| {
            std::fs::write(path(name), value).expect("set a namespace's setting (run as root)");
        };
        write("ipv4/ip_local_reserved_ports", "8080,9000-9100");
        write("ipv4/ip_local_port_range", "40000 40100");
        write("ipv4/tcp_fin_timeout", "7");
        write("ipv4/ip_nonlocal_bind", "1");
        let settings = sysctls().expect("settings");
        assert!(settings.reserved_ports.contains(Port(9100)));
        assert_eq!(settings.local_port_range.high, Port(40100));
        assert_eq!((settings.fin_timeout_s, settings.nonlocal_bind_v4), (7, true));
        assert!(!settings.nonlocal_bind_v6);
    }

    proptest! {
        #[test]
        fn a_set_is_read_back_from_its_own_words(
            ends in proptest::collection::vec((any::<u16>(), any::<u16>()), 0..8)
        ) {
            let ranges: Vec<_> = ends
                .into_iter()
                .filter_map(|(a, b)| in_order(a.min(b), a.max(b)))
                .collect();
            let words: Vec<_> = ranges.iter().map(|r| format!("{}-{}", r.low, r.high)).collect();
            prop_assert_eq!(parse_port_set(&words.join(",")), Some(PortSet(ranges)));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,40}") {
            let ports = parse_port_set(&text).map_or(0, |set| set.0.len());
            prop_assert!(ports <= text.len());
        }
    }

    #[test]
    fn a_range_is_two_numbers() {
        let range = parse_range("32768\t60999\n").expect("a range");
        assert_eq!((range.low, range.high), (Port(32768), Port(60999)));
        assert_eq!(parse_range("1"), None);
    }
}
