//! Small phrases that every report shares: times, processes, sockets, addresses.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use lastack_model::facts::{
    Descriptor, Holder, Inheritance, Process, RestartPolicy, SocketGroup, Transport,
};
use lastack_model::lifetime::{Lifetime, Prolonged, Span, SpanSource};
use std::net::{IpAddr, SocketAddr};

/// A length of time, in whole seconds rounded up.
pub fn duration(ms: u64) -> String {
    let seconds = ms.div_ceil(1000);
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, 0) => format!("{m} min"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, 0, _) => format!("{h} h"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

/// The time of day, in the host's time zone.
pub fn clock(ms: u64) -> String {
    let moment = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    moment.map_or_else(
        || "?".to_owned(),
        |moment| moment.to_zoned(TimeZone::system()).strftime("%H:%M:%S").to_string(),
    )
}

/// The day and time, where the day is not today.
pub fn since(started_ms: u64, now_ms: u64) -> String {
    let zoned = |ms: u64| {
        let moment = Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok()?;
        Some(moment.to_zoned(TimeZone::system()))
    };
    match (zoned(started_ms), zoned(now_ms)) {
        (Some(then), Some(now)) if then.date() == now.date() => {
            then.strftime("%H:%M:%S").to_string()
        }
        (Some(then), _) => then.strftime("%Y-%m-%d %H:%M").to_string(),
        (None, _) => "?".to_owned(),
    }
}

/// How long something lasts, with the clock time of its end.
pub fn lifetime(lifetime: Lifetime, now_ms: u64) -> String {
    match lifetime {
        Lifetime::Ends(ends) => span(ends, now_ms),
        Lifetime::WhileHeld => "its program closes it: nothing else ends it".into(),
        Lifetime::WhileHeldPeerSilent(ends) => format!(
            "its program closes it; the peer does not answer, and the connection is given up in {}",
            span(ends, now_ms)
        ),
        Lifetime::Never => "never: no timer runs and no program can close it".into(),
    }
}

fn span(span: Span, now_ms: u64) -> String {
    let least = duration(span.least_ms);
    let most = duration(span.most_ms);
    let end = clock(now_ms + span.least_ms);
    let about = match span.source {
        SpanSource::Timer => "",
        SpanSource::Retransmission => "about ",
    };
    let base = format!("{about}{least}, at most {most} (until {end})");
    match span.prolonged_by {
        None => base,
        Some(Prolonged::PeerCloses) => {
            format!("{base}; if the peer closes before, 60 s of TIME_WAIT start then")
        }
        Some(Prolonged::PeerAcknowledges) => {
            format!(
                "{base} if the peer stays silent; if it answers, FIN_WAIT_2 and TIME_WAIT follow"
            )
        }
    }
}

/// An address and port, as people write them.
pub fn address(transport: Transport, ip: IpAddr, port: u16) -> String {
    match transport {
        Transport::Tcp => SocketAddr::new(ip, port).to_string(),
        Transport::Udp => format!("udp/{}", SocketAddr::new(ip, port)),
    }
}

/// Sockets in one line: how many, where, in which state.
pub fn sockets(group: &SocketGroup) -> String {
    let example = &group.example;
    let many = if group.count > 1 { format!("{} x ", group.count) } else { String::new() };
    let local = address(example.transport, example.local.ip(), example.local.port());
    let remote = match (group.count, example.remote) {
        (_, None) => String::new(),
        (1, Some(remote)) => format!(" -> {remote}"),
        (_, Some(_)) => format!(" -> {}{}", list(&group.remotes), more(group)),
    };
    match example.transport {
        Transport::Tcp => format!("{many}{local}{remote} {}", example.state),
        Transport::Udp => format!("{many}{local}{remote}"),
    }
}

fn list(remotes: &[SocketAddr]) -> String {
    let shown: Vec<String> = remotes.iter().take(2).map(ToString::to_string).collect();
    shown.join(", ")
}

fn more(group: &SocketGroup) -> &'static str {
    if group.count > 2 { ", ..." } else { "" }
}

/// A process in one line: name, pid, user, service.
pub fn process(process: &Process) -> String {
    let user = process.user.clone().unwrap_or_else(|| format!("uid {}", process.uid));
    let service = process.service.as_ref().map(|of| format!(", {of}"));
    format!("{}, pid {}, user {user}{}", process.name, process.pid, service.unwrap_or_default())
}

/// How a process holds a socket.
pub fn hold(holder: &Holder) -> String {
    match holder.descriptor {
        Descriptor::Open { number, .. } => format!("descriptor {number}"),
        Descriptor::InFlight { carrier } => {
            format!("perhaps in flight, in the queue of its Unix socket, descriptor {carrier}")
        }
    }
}

/// How it came by it, when that is worth a word.
pub fn inheritance(inheritance: &Inheritance) -> Option<String> {
    match inheritance {
        Inheritance::FromAncestor(pid) => {
            Some(format!("inherited from pid {pid}, which holds it too"))
        }
        Inheritance::Likely(evidence) => Some(format!("probably inherited (inferred): {evidence}")),
        Inheritance::NotSeen => None,
    }
}

/// Who would start a process again.
pub fn supervisor(process: &Process) -> Option<String> {
    let supervisor = process.supervisor.as_ref()?;
    let by = match supervisor.pid {
        Some(pid) => format!("{} (pid {pid})", supervisor.name),
        None => supervisor.name.clone(),
    };
    match &supervisor.policy {
        RestartPolicy::Restarts(setting) => Some(format!("{by} would start it again ({setting})")),
        RestartPolicy::Usually => {
            Some(format!("{by} would usually start it again: stop that first"))
        }
        RestartPolicy::Never(_) => None,
        RestartPolicy::Unknown => {
            Some(format!("{by} may start it again (its setting is not readable)"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_up_to_whole_seconds() {
        assert_eq!(duration(0), "0 s");
        assert_eq!(duration(1), "1 s");
        assert_eq!(duration(43_000), "43 s");
        assert_eq!(duration(60_000), "1 min");
        assert_eq!(duration(125_000), "2 min 5 s");
        assert_eq!(duration(7_260_000), "2 h 1 min");
    }
}
