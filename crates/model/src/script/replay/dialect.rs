//! What a script may take for granted of the system that it was written for: names for `#ifdef`, and settings.

use crate::script::Icmp;
use crate::tcp::profile::{Profile, SynInConnection, TimeWaitReset};

/// A profile as scripts know it.
#[derive(Clone, Copy, Debug)]
pub struct Dialect {
    /// How the system behaves.
    pub profile: Profile,
    /// The names for which `#ifdef` holds.
    pub defined: &'static [&'static str],
    pub(super) settings: &'static [Setting],
    /// What ICMP messages do to a connection that is being opened.
    pub(super) icmp: fn(&Icmp) -> IcmpEffect,
}

/// What an ICMP message does to a connection that is being opened; later none does anything (RFC 5927 §4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum IcmpEffect {
    /// It ends, refused.
    Refuses,
    /// Nothing.
    Nothing,
    /// This is not modelled.
    Unknown,
}

/// A setting, and what it does to the profile.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    name: &'static str,
    apply: fn(&mut Dialect, on: bool),
}

impl Dialect {
    /// The letter of RFC 9293. It has no settings.
    pub const RFC_9293: Self = Self {
        profile: Profile::RFC_9293,
        defined: &["STANDARD"],
        settings: &[],
        icmp: hard_errors,
    };

    /// Linux.
    pub const LINUX: Self = Self {
        profile: Profile::LINUX,
        defined: &["STANDARD", "Linux"],
        settings: &[Setting { name: "net.ipv4.tcp_rfc1337", apply: rfc1337 }],
        icmp: port_unreachable,
    };

    /// FreeBSD.
    pub const FREE_BSD: Self = Self {
        profile: Profile::FREE_BSD,
        defined: &["FreeBSD"],
        settings: &[
            Setting {
                name: "net.inet.tcp.insecure_rst",
                apply: |dialect, on| dialect.profile.reset_anywhere_in_window = on,
            },
            Setting { name: "net.inet.tcp.insecure_syn", apply: insecure_syn },
            Setting {
                name: "net.inet.tcp.drop_synfin",
                apply: |dialect, on| dialect.profile.drops_syn_fin = on,
            },
            Setting { name: "net.inet.tcp.icmp_may_rst", apply: icmp_may_rst },
        ],
        icmp: prohibitions,
    };

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::RFC_9293, Self::LINUX, Self::FREE_BSD].into_iter().find(|d| d.profile.name == name)
    }

    /// The same, of a system that behaves like this.
    #[must_use]
    pub fn with(&self, profile: Profile) -> Self {
        Self { profile, ..*self }
    }

    /// Sets what a script sets.
    pub fn set(&mut self, name: &str, value: &str) -> Known {
        if let Some(setting) = self.settings.iter().find(|setting| setting.name == name) {
            (setting.apply)(self, value != "0");
            return Known::Yes;
        }
        let off = value == "0" && OFF.contains(&name);
        let usual = USUAL.contains(&(name, value));
        let prefixed = |prefix: &&str| name.starts_with(prefix);
        if off || usual || WITHOUT_EFFECT.iter().any(prefixed) { Known::Yes } else { Known::No }
    }
}

/// Whether it is known what a setting does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Known {
    /// It is, also where that is nothing.
    Yes,
    /// It is not.
    No,
}

fn rfc1337(dialect: &mut Dialect, on: bool) {
    dialect.profile.time_wait_reset = if on { TimeWaitReset::Ignored } else { TimeWaitReset::Ends };
}

fn insecure_syn(dialect: &mut Dialect, on: bool) {
    dialect.profile.syn_in_connection =
        if on { SynInConnection::Resets } else { SynInConnection::Challenged };
}

fn icmp_may_rst(dialect: &mut Dialect, on: bool) {
    dialect.icmp = if on { prohibitions } else { |_| IcmpEffect::Nothing };
}

/// RFC 1122 §4.2.3.9.
fn hard_errors(icmp: &Icmp) -> IcmpEffect {
    among(icmp, &["port_unreachable", "protocol_unreachable"], IcmpEffect::Nothing)
}

/// `tcp_v4_err`: each code has an error of its own, of which only this one is modelled.
fn port_unreachable(icmp: &Icmp) -> IcmpEffect {
    among(icmp, &["port_unreachable"], IcmpEffect::Unknown)
}

/// `tcp_ctlinput`, `icmp_errmap`.
fn prohibitions(icmp: &Icmp) -> IcmpEffect {
    let hard = [
        "admin_prohibited",
        "host_prohibited",
        "net_prohibited",
        "packet_filtered",
        "port_unreachable",
        "protocol_unreachable",
    ];
    among(icmp, &hard, IcmpEffect::Nothing)
}

fn among(icmp: &Icmp, hard: &[&str], other: IcmpEffect) -> IcmpEffect {
    match icmp.kind.as_str() {
        "unreachable" if hard.contains(&icmp.code.as_str()) => IcmpEffect::Refuses,
        "unreachable" => other,
        _ => IcmpEffect::Unknown,
    }
}

/// What every profile does when these are off.
const OFF: [&str; 9] = [
    "net.inet.tcp.insecure_rst",
    "net.inet.tcp.insecure_syn",
    "net.inet.tcp.drop_synfin",
    "net.inet.tcp.blackhole",
    "net.inet.tcp.syncookies_only",
    "net.inet.tcp.fastopen.client_enable",
    "net.inet.tcp.fastopen.server_enable",
    "net.ipv4.tcp_fastopen",
    "net.ipv4.tcp_rfc1337",
];

/// What every profile does at these values, which are the defaults.
const USUAL: [(&str, &str); 4] = [
    ("net.inet.tcp.keepinit", "75000"),
    ("net.inet.tcp.keepidle", "7200000"),
    ("net.inet.tcp.keepintvl", "75000"),
    ("net.inet.tcp.keepcnt", "8"),
];

/// Beginnings of names of settings that concern buffers, options, congestion control and retransmission times, none of
/// which is compared.
const WITHOUT_EFFECT: [&str; 38] = [
    "kern.ipc.maxsockbuf",
    "net.core.",
    "net.inet.tcp.cc.",
    "net.inet.tcp.delacktime",
    "net.inet.tcp.delayed_ack",
    "net.inet.tcp.ecn.",
    "net.inet.tcp.initcwnd_segments",
    "net.inet.tcp.minmss",
    "net.inet.tcp.mssdflt",
    "net.inet.tcp.recvspace",
    "net.inet.tcp.rexmit_",
    "net.inet.tcp.rfc1323",
    "net.inet.tcp.sack.enable",
    "net.inet.tcp.sendspace",
    "net.inet.tcp.syncookies",
    "net.inet.tcp.tolerate_missing_ts",
    "net.inet.tcp.v6mssdflt",
    "net.ipv4.tcp_congestion_control",
    "net.ipv4.tcp_early_retrans",
    "net.ipv4.tcp_ecn",
    "net.ipv4.tcp_fack",
    "net.ipv4.tcp_limit_output_bytes",
    "net.ipv4.tcp_min_tso_segs",
    "net.ipv4.tcp_moderate_rcvbuf",
    "net.ipv4.tcp_mtu_probing",
    "net.ipv4.tcp_notsent_lowat",
    "net.ipv4.tcp_pacing_",
    "net.ipv4.tcp_recovery",
    "net.ipv4.tcp_reordering",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_rto_min_us",
    "net.ipv4.tcp_sack",
    "net.ipv4.tcp_shrink_window",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_timestamps",
    "net.ipv4.tcp_tso_win_divisor",
    "net.ipv4.tcp_window_scaling",
    "net.ipv4.tcp_wmem",
];
