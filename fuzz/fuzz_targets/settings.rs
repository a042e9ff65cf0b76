//! Settings: a configuration file that others wrote, values and names as people type them, unit files.
#![no_main]

use lastack_model::tune::{self, Conf, Format};
use lastack_os::{process, supervisor};
use libfuzzer_sys::fuzz_target;

const NAME: &str = "net.ipv4.tcp_fin_timeout";

fuzz_target!(|text: &str| {
    let mut file = Conf::parse(text);
    let others = |file: &Conf| file.text().lines().filter(|line| !line.contains('=')).count();
    let before = others(&file);
    file.set(NAME, "30");
    assert_eq!(file.value(NAME), Some("30"));
    assert_eq!(Conf::parse(&file.text()).value(NAME), Some("30"), "it is read back");
    file.remove(NAME);
    assert_eq!(file.value(NAME), None);
    assert!(others(&file) >= before, "lines that set nothing stay");

    for format in [
        Format::Number { least: 0, most: 100 },
        Format::PortRange,
        Format::PortSet,
        Format::Triple,
        Format::Free,
    ] {
        let _any = format.parse(text);
    }
    let _any = (tune::named(text), tune::nearest(text));
    let _any = supervisor::restart_setting(text);
    if let Some(group) = process::parse_group(text) {
        assert!(text.contains(group), "a group from nowhere: {group:?}");
    }
});
