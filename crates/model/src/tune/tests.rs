use super::*;
use crate::facts::{Kind, PortRange, PortSet, Socket, Transport};
use crate::ids::Port;
use crate::state::State;
use std::collections::BTreeSet;

/// A host with every sysctl at its default.
fn fresh() -> Here {
    let mut here = Here::default();
    for setting in all() {
        let Some((key, _, _)) = setting.sysctl() else { continue };
        let of_memory = match setting.format {
            Format::Triple => Value::Triple([1000, 2000, 3000]),
            _ => Value::Number(131_072),
        };
        here.values.insert(key, setting.format.parse(setting.default).unwrap_or(of_memory));
    }
    here
}

fn sysctl(name: &str) -> &'static Setting {
    let [setting] = named(name)[..] else { panic!("one setting is called {name}") };
    setting
}

fn change(here: &Here, name: &str, value: &str) -> Change {
    let plan = plan(&[(sysctl(name), value)], here).unwrap_or_else(|error| panic!("{error:?}"));
    plan.changes.into_iter().next().expect("a change")
}

fn refusal(name: &str, value: &str) -> String {
    plan(&[(sysctl(name), value)], &fresh()).expect_err("not a value it takes").0
}

fn in_state(state: State, kind: Kind, port: u16) -> Socket {
    let local = std::net::SocketAddr::from(([10, 0, 0, 1], port));
    Socket { state, kind, ..Socket::closed(Transport::Tcp, local) }
}

#[test]
fn every_row_says_what_it_does_where_that_stands_and_how_it_is_known() {
    let mut seen = BTreeSet::new();
    for setting in all() {
        let name = setting.name;
        assert!(seen.insert((setting.system, name)), "{name} is there twice");
        for text in [setting.name, setting.gist, setting.does, setting.source, setting.risk] {
            assert!(!text.is_empty(), "{name}: {setting:?}");
            assert!(!text.contains("  "), "{name}: a gap in {text:?}");
        }
        assert!(setting.gist.chars().count() <= 74, "{name}: the line is too long");
        let (Proof::Experiment(proof) | Proof::Documented(proof)) = setting.proof;
        assert!(!proof.is_empty(), "{name}: no proof");
    }
}

#[test]
fn every_sysctl_of_a_namespace_names_an_experiment_and_none_of_the_host_does() {
    for setting in all() {
        let Some((_, _, scope)) = setting.sysctl() else { continue };
        let is_tested = matches!(setting.proof, Proof::Experiment(_));
        assert_eq!(is_tested, scope == Scope::Namespace, "{}", setting.name);
    }
}

#[test]
fn every_operating_system_has_a_row_for_how_long_it_keeps_a_closed_connection() {
    use System::{FreeBsd, Illumos, Linux, MacOs, OpenBsd, Windows};
    for system in [Linux, FreeBsd, MacOs, OpenBsd, Illumos, Windows] {
        let tells =
            |setting: &Setting| setting.system == system && setting.gist.contains("TIME_WAIT");
        assert!(all().any(tells), "{}", system.name());
    }
}

#[test]
fn a_setting_is_found_however_its_name_is_written() {
    for name in [
        "tcp_fin_timeout",
        "net.ipv4.tcp_fin_timeout",
        "net/ipv4/tcp_fin_timeout",
        "/proc/sys/net/ipv4/tcp_fin_timeout",
        "TCP_FIN_TIMEOUT",
    ] {
        assert_eq!(sysctl(name).name, "tcp_fin_timeout");
    }
    assert_eq!(sysctl("so_reuseaddr").name, "SO_REUSEADDR");
    assert_eq!(sysctl("net.core.somaxconn").name, "somaxconn");
    assert_eq!(sysctl("IP_LOCAL_PORT_RANGE").group, Group::Socket);
    assert_eq!(sysctl("ip_local_port_range").group, Group::Ports);
    assert_eq!(named("net.inet.tcp.msl").len(), 2, "FreeBSD and macOS");
    assert!(named("tcp_nodelay").is_empty());
}

#[test]
fn a_misspelt_name_leads_to_the_nearest() {
    let near = |text| nearest(text).map(|setting| setting.name);
    assert_eq!(near("tcp_fin_timout"), Some("tcp_fin_timeout"));
    assert_eq!(near("net.ipv4.tcp_tw_resue"), Some("tcp_tw_reuse"));
    assert_eq!(near("vm.swappiness"), None);
}

#[test]
fn values_are_read_as_people_type_them_and_written_as_the_kernel_does() {
    let written = |format: Format, text| format.parse(text).map(|value| value.to_string());
    let number = Format::Number { least: 1, most: 60 };
    assert_eq!(written(number, " 60 "), Ok("60".into()));
    assert_eq!(written(Format::PortRange, "32768-60999"), Ok("32768 60999".into()));
    assert_eq!(written(Format::PortRange, "32768\t60999"), Ok("32768 60999".into()));
    assert_eq!(written(Format::PortSet, "9001-9100,8080,9000"), Ok("8080,9000-9100".into()));
    assert_eq!(written(Format::PortSet, ""), Ok(String::new()));
    assert_eq!(written(Format::Triple, "1 2 3"), Ok("1 2 3".into()));
}

#[test]
fn values_that_a_setting_does_not_take_are_refused_with_those_it_takes() {
    for (name, value, reason) in [
        ("tcp_fin_timeout", "-1", "-1 is outside 0 to 2147483"),
        ("tcp_fin_timeout", "30s", "\"30s\" is not a whole number"),
        ("tcp_fin_timeout", "", "no value given"),
        ("tcp_fin_timeout", "99999999999999999999", "outside"),
        ("tcp_tw_reuse", "3", "it takes 0 to 2"),
        ("ip_local_port_range", "60999 32768", "ends before it begins"),
        ("ip_local_port_range", "1", "is not two ports"),
        ("ip_local_port_range", "80 60999", "the kernel refuses that"),
        ("ip_local_reserved_ports", "8080,70000", "port 70000 is outside"),
        ("tcp_mem", "3 2 1", "three numbers"),
        ("SO_LINGER", "0", "is set by a program"),
        ("tcp_tw_recycle", "1", "removed in 4.12"),
        ("TCP_TIMEWAIT_LEN", "5", "compiled into the kernel"),
    ] {
        assert!(refusal(name, value).contains(reason), "{name}={value}: {}", refusal(name, value));
    }
}

#[test]
fn of_several_changes_none_is_planned_if_one_is_invalid() {
    let several = [(sysctl("tcp_fin_timeout"), "30"), (sysctl("tcp_retries2"), "256")];
    assert!(plan(&several, &fresh()).is_err());
    let twice = [(sysctl("tcp_fin_timeout"), "30"), (sysctl("tcp_fin_timeout"), "31")];
    assert_eq!(plan(&twice, &fresh()).expect_err("twice").0, "tcp_fin_timeout is given twice");
}

#[test]
fn a_port_range_and_the_first_unprivileged_port_are_changed_in_an_order_that_the_kernel_takes() {
    let order = |start: &str, range: &str| {
        let requests =
            [(sysctl("ip_unprivileged_port_start"), start), (sysctl("ip_local_port_range"), range)];
        let plan = plan(&requests, &fresh()).expect("they fit together");
        plan.changes.iter().map(|change| change.key).collect::<Vec<_>>()
    };
    assert_eq!(order("80", "100 60999"), [Key::UnprivilegedPortStart, Key::PortRange]);
    assert_eq!(order("40000", "50000 60999"), [Key::PortRange, Key::UnprivilegedPortStart]);
}

#[test]
fn a_setting_that_this_kernel_lacks_is_told_with_the_version_that_brought_it() {
    let mut here = fresh();
    here.values.remove(&Key::RtoMax);
    here.values.remove(&Key::MaxOrphans);
    let said = |name, value| plan(&[(sysctl(name), value)], &here).expect_err("it is not there").0;
    assert!(said("tcp_rto_max_ms", "60000").contains("it came with Linux 6.15"));
    assert!(said("tcp_max_orphans", "60000").contains("of the whole host"));
}

#[test]
fn dangerous_values_are_refused_with_the_reason() {
    let reasons = |name, value| change(&fresh(), name, value).dangers.join("; ");
    for (name, value, reason) in [
        ("tcp_fin_timeout", "1", "FIN is lost"),
        ("tcp_max_tw_buckets", "0", "no connection gets a TIME_WAIT"),
        ("tcp_timestamps", "0", "tcp_tw_reuse would be without effect"),
        ("tcp_retries2", "7", "51 s"),
        ("tcp_rto_max_ms", "1000", "14 s"),
        ("tcp_orphan_retries", "1", "600 ms"),
        ("tcp_keepalive_probes", "0", "without asking"),
        ("tcp_synack_retries", "0", "dropped after a second"),
        ("somaxconn", "0", "one connection"),
        ("ip_local_reserved_ports", "1-65535", "no port would be left"),
    ] {
        assert!(reasons(name, value).contains(reason), "{name}={value}: {}", reasons(name, value));
    }
    for (name, value) in [
        ("tcp_fin_timeout", "30"),
        ("tcp_retries2", "8"),
        ("tcp_orphan_retries", "5"),
        ("tcp_tw_reuse", "1"),
        ("tcp_rfc1337", "1"),
        ("tcp_timestamps", "2"),
    ] {
        assert_eq!(reasons(name, value), "", "{name}={value}");
    }
}

#[test]
fn the_defaults_of_a_fresh_host_concern_nobody() {
    let here = fresh();
    for setting in all() {
        assert_eq!(concerns(setting, &here), Vec::<String>::new(), "{}", setting.name);
        assert_eq!(standing(setting, &here).is_empty(), setting.sysctl().is_none());
    }
}

#[test]
fn some_values_are_dangerous_only_for_what_is_on_the_host() {
    let mut here = fresh();
    assert!(change(&here, "tcp_max_tw_buckets", "100").dangers.is_empty());
    assert!(change(&here, "ip_unprivileged_port_start", "0").dangers.is_empty());
    assert!(change(&here, "tcp_abort_on_overflow", "1").dangers.is_empty());
    for port in 0..200 {
        here.counts.add(&in_state(State::TimeWait, Kind::Minisock, 40_000 + port));
    }
    here.counts.add(&in_state(State::Listen, Kind::Full, 22));
    here.counts.counters.listen_overflows = 3;
    assert!(change(&here, "tcp_max_tw_buckets", "100").dangers[0].contains("there are 200 now"));
    assert!(change(&here, "ip_unprivileged_port_start", "0").dangers[0].contains("port 22"));
    assert!(change(&here, "ip_unprivileged_port_start", "23").dangers.is_empty());
    assert!(change(&here, "tcp_abort_on_overflow", "1").dangers[0].contains("3 times"));
    let few = change(&here, "ip_local_port_range", "40000 40100");
    assert!(few.dangers[0].contains("200 lent ports are in use"), "{few:?}");
    here.counts.counters.time_wait_overflow = 1;
    assert!(concerns(sysctl("tcp_max_tw_buckets"), &here)[0].starts_with("1 connection closed"));
}

#[test]
fn what_a_change_does_is_told_from_the_counts_of_the_host() {
    let mut here = fresh();
    here.counts.time_wait_bytes = Some(256);
    for port in 0..3 {
        here.counts.add(&in_state(State::TimeWait, Kind::Minisock, 40_000 + port));
        here.counts.add(&in_state(State::FinWait2, Kind::Minisock, 41_000 + port));
    }
    let said = |name, value| change(&here, name, value).effects.join("\n");
    let fin = said("tcp_fin_timeout", "30");
    assert!(fin.contains("3 are here now: they keep"), "{fin}");
    assert!(fin.contains("3 TIME_WAITs here: untouched"), "{fin}");
    let buckets = said("tcp_max_tw_buckets", "1000");
    assert!(buckets.contains("6 of 1000 are in use now: room for 994 more"), "{buckets}");
    assert!(buckets.contains("250 KiB"), "{buckets}");
    assert!(said("tcp_tw_reuse", "1").contains("bind() and servers: no difference"));
    let range = said("ip_local_port_range", "40000 40599");
    assert!(range.contains("600 (now 28232) ports can be lent; of these 3 (now 6) are"), "{range}");
    assert!(range.contains("10 (now 470) new connections a second"), "{range}");
}

#[test]
fn a_value_that_is_there_already_is_no_change() {
    let same = change(&fresh(), "ip_local_port_range", "32768-60999");
    assert!(!same.is_needed() && same.effects.is_empty() && same.dangers.is_empty());
}

#[test]
fn the_times_are_those_of_the_kernels_documentation() {
    let here = fresh();
    assert_eq!(here.unanswered_ms(15), 924_600);
    assert_eq!(here.unanswered_ms(8), 102_200);
    let said = |name, value| change(&here, name, value).effects.join("\n");
    assert!(said("tcp_syn_retries", "5").contains("(now 2 min 11 s)"));
    assert!(said("tcp_syn_linear_timeouts", "0").contains("after 2 min 7 s"));
    assert!(said("tcp_keepalive_time", "600").contains("(now 2 h 11 min)"));
}

#[test]
fn a_change_is_taken_back_only_if_nobody_changed_it_since() {
    let recorded = Recorded { before: Value::Number(60), after: Value::Number(30) };
    assert_eq!(undo(&recorded, &Value::Number(30)), Undo::Restore);
    assert_eq!(undo(&recorded, &Value::Number(60)), Undo::AlreadyBack);
    assert_eq!(undo(&recorded, &Value::Number(45)), Undo::ChangedSince);
}

#[test]
fn a_configuration_file_keeps_what_others_wrote() {
    let text = "# ours\nnet/ipv4/tcp_fin_timeout=30\n\n-net.ipv4.tcp_retries2 = 8\n";
    let mut conf = Conf::parse(text);
    assert_eq!(conf.value("net.ipv4.tcp_fin_timeout"), Some("30"));
    assert_eq!(conf.value("net.ipv4.tcp_retries2"), Some("8"));
    assert_eq!(conf.value("net.ipv4.tcp_syn_retries"), None);
    conf.set("net.ipv4.tcp_fin_timeout", "20");
    conf.set("net.ipv4.tcp_tw_reuse", "1");
    assert_eq!(
        conf.text(),
        "# ours\nnet.ipv4.tcp_fin_timeout = 20\n\n-net.ipv4.tcp_retries2 = 8\nnet.ipv4.tcp_tw_reuse = 1\n"
    );
    let mut fresh = Conf::default();
    fresh.set("net.ipv4.tcp_tw_reuse", "1");
    assert!(fresh.text().starts_with(MARK) && !fresh.is_spent());
    fresh.remove("net.ipv4.tcp_tw_reuse");
    assert!(fresh.is_spent());
}

#[test]
fn what_the_kernel_shows_is_read_even_where_it_would_not_be_taken() {
    let range = PortRange { low: Port(32768), high: Port(60999) };
    assert_eq!(Format::PortRange.read("32768\t60999\n"), Value::Range(range));
    assert_eq!(Format::PortSet.read("\n"), Value::Ports(PortSet::default()));
    let switch = Format::Number { least: 0, most: 1 };
    assert_eq!(switch.read("7\n"), Value::Number(7));
    assert_eq!(switch.read("-1\n"), Value::Other("-1".into()));
}
