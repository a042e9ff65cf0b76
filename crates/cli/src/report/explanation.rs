//! An explanation for people: verdict, who, why, how long, what helps, what does not, what was assumed.

use super::page::{Page, Tone};
use super::{phrase, remedies};
use crate::args::BindArgs;
use crate::typed::Typed;
use lastack_model::bind::{Options, Overlap, Request};
use lastack_model::errno::Errno;
use lastack_model::facts::{Holder, Inheritance, Process, Transport};
use lastack_model::ids::Pid;
use lastack_model::why::{
    Basis, Caution, Conflict, Explanation, Judgement, Outcome, Role, Verdict,
};

/// Writes the explanation.
pub fn write(page: &mut Page, explanation: &Explanation, bind: &BindArgs) {
    write_evidence(page, explanation);
    neighbours(page, explanation);
    let asked = &explanation.asked;
    remedies::write(page, explanation, Typed { asked, bind });
    futile(page, explanation);
    unseen(page, explanation);
    basis(page, explanation);
}

/// Writes the verdict and what stands in the way.
pub(super) fn write_evidence(page: &mut Page, explanation: &Explanation) {
    verdict(page, explanation);
    let mut introduced = Vec::new();
    for conflict in &explanation.conflicts {
        write_conflict(page, conflict, explanation, &mut introduced);
    }
}

/// Writes the verdict alone, bind by bind.
pub(super) fn verdict(page: &mut Page, explanation: &Explanation) {
    let name = match explanation.judgements.first().map(|j| (j.request.transport, j.request.port)) {
        Some((Transport::Udp, port)) => format!("UDP port {port}"),
        Some((Transport::Tcp, port)) => format!("TCP port {port}"),
        None => explanation.asked.clone(),
    };
    let (tone, text) = match explanation.verdict {
        Verdict::Free => (Tone::Good, format!("{name} is free to bind.")),
        Verdict::InUse => (Tone::Bad, format!("{name} is in use.")),
        Verdict::Refused => (Tone::Bad, format!("{name} is refused, and no socket is to blame.")),
        Verdict::Partly => (Tone::Mixed, format!("{name} can be bound in part.")),
        Verdict::Undecided => (Tone::Mixed, format!("{name}: what is visible does not decide it.")),
    };
    page.verdict(tone, &text);
    for judgement in &explanation.judgements {
        page.line(2, &outcome(judgement));
    }
}

fn outcome(judgement: &Judgement) -> String {
    let request = &judgement.request;
    let place = place(request);
    match &judgement.outcome {
        Outcome::Succeeds if judgement.basis == Basis::Rules => {
            format!("{place}: no socket stands in the way")
        }
        Outcome::Succeeds => format!("{place}: bind succeeds (tried)"),
        Outcome::Fails { errno, refusal } => {
            let why =
                refusal.map(|refusal| format!(": {} ({})", refusal.words(), refusal.source()));
            let tried = if judgement.basis == Basis::Rules { "" } else { " (tried)" };
            format!(
                "{place}: bind fails with {errno}, {}{tried}{}",
                errno.words(),
                why.unwrap_or_default()
            )
        }
        Outcome::DependsOn(hidden) => {
            let what: Vec<&str> = hidden.iter().map(|hidden| hidden.words()).collect();
            format!("{place}: depends on {}", what.join(", and on "))
        }
    }
}

fn place(request: &Request) -> String {
    phrase::address(request.transport, request.address, request.port.0)
}

fn write_conflict(
    page: &mut Page,
    conflict: &Conflict,
    explanation: &Explanation,
    introduced: &mut Vec<Pid>,
) {
    let maybe = if conflict.is_certain() { "" } else { " (perhaps in the way)" };
    page.heading(&format!("{}{maybe}", phrase::sockets(&conflict.sockets)));
    page.item(2, "what   ", &what(conflict));
    if conflict.holders.is_empty() {
        page.item(2, "who    ", &nobody(conflict));
    }
    for holder in conflict.holders.iter().take(HOLDERS_SHOWN) {
        if introduced.contains(&holder.process.pid) {
            let Process { name, pid, .. } = &holder.process;
            let hold = phrase::hold(holder);
            page.item(2, "who    ", &format!("{name}, pid {pid}, as above ({hold})"));
        } else {
            introduced.push(holder.process.pid);
            write_holder(page, holder, explanation.taken_at_ms);
        }
    }
    if conflict.holders.len() > HOLDERS_SHOWN {
        page.line(9, &format!("and {} more processes", conflict.holders.len() - HOLDERS_SHOWN));
    }
    page.item(2, "why    ", &because(conflict));
    let until = match conflict.role {
        Role::Queued => "its listener accepts it or closes".to_owned(),
        _ => phrase::lifetime(conflict.lifetime, explanation.taken_at_ms),
    };
    let until = if conflict.sockets.count > 1 { format!("the last one: {until}") } else { until };
    page.item(2, "until  ", &until);
}

fn what(conflict: &Conflict) -> String {
    let words = conflict.role.words();
    let waiting = conflict.sockets.unacknowledged;
    let is_listener = conflict.role == Role::Listener;
    let unsent =
        (waiting > 0 && !is_listener).then(|| format!(", {waiting} bytes not acknowledged"));
    let queued = match conflict.sockets.example.receive_queue {
        1 if is_listener => Some(", 1 connection waiting to be accepted".to_owned()),
        n if is_listener && n > 0 => Some(format!(", {n} connections waiting to be accepted")),
        _ => None,
    };
    format!("{words}{}{}", unsent.unwrap_or_default(), queued.unwrap_or_default())
}

fn nobody(conflict: &Conflict) -> String {
    if conflict.role == Role::Queued {
        return "no process yet: it waits in its listener's queue".into();
    }
    if conflict.role.is_unheld() {
        return "no process: the kernel alone keeps it".into();
    }
    let user = conflict.sockets.example.uid.map(|uid| format!("; the socket belongs to uid {uid}"));
    let service = conflict.service.as_ref().map(|service| format!(", {service}"));
    format!("no visible process{}{}", user.unwrap_or_default(), service.unwrap_or_default())
}

fn write_holder(page: &mut Page, holder: &Holder, now_ms: u64) {
    let process = &holder.process;
    page.item(2, "who    ", &format!("{} ({})", phrase::process(process), phrase::hold(holder)));
    let command = process.command_line();
    if command != process.name {
        page.line(9, &command);
    }
    let place = process.directory.as_ref().map(|path| format!(", in {path}")).unwrap_or_default();
    page.line(9, &format!("since {}{place}", phrase::since(process.started_at_ms, now_ms)));
    if !process.ancestors.is_empty() {
        let parents: Vec<String> =
            process.ancestors.iter().take(4).map(|a| format!("{} ({})", a.name, a.pid)).collect();
        page.line(9, &format!("started by {}", parents.join(" < ")));
    }
    for note in
        [phrase::inheritance(&holder.inheritance), phrase::supervisor(process)].iter().flatten()
    {
        page.line(9, note);
    }
}

fn because(conflict: &Conflict) -> String {
    let distinct = |words: Vec<&'static str>| {
        let mut kept: Vec<&str> = Vec::new();
        for word in words {
            if !word.is_empty() && !kept.contains(&word) {
                kept.push(word);
            }
        }
        kept
    };
    let against = || conflict.against.iter();
    let overlaps = against().filter_map(|a| a.overlap).map(Overlap::words).collect();
    let barriers = against().map(|a| a.barrier.words()).collect();
    format!("{}; {}", distinct(overlaps).join(", and "), distinct(barriers).join(", and "))
}

fn neighbours(page: &mut Page, explanation: &Explanation) {
    let listening = explanation.neighbours.iter().filter(|n| n.sockets.example.port().0 != 0);
    let mut shown = listening.take(NEIGHBOURS_SHOWN).peekable();
    if shown.peek().is_some() {
        page.heading("On the same port, not in the way");
    }
    for neighbour in shown {
        let how = if neighbour.shares { "shares the port" } else { "another address" };
        page.item(2, "- ", &format!("{} ({how})", phrase::sockets(&neighbour.sockets)));
    }
    if explanation.elsewhere.is_empty() {
        return;
    }
    page.heading("In other network namespaces, not in the way");
    for other in explanation.elsewhere.iter().take(NEIGHBOURS_SHOWN) {
        let name = other.name.clone().unwrap_or_else(|| format!("net:[{}]", other.namespace));
        let resident =
            other.resident.as_ref().map(|p| format!(", where {} lives", phrase::process(p)));
        let sockets = phrase::sockets(&other.socket);
        page.item(
            2,
            "- ",
            &format!("{sockets} in namespace {name}{}", resident.unwrap_or_default()),
        );
    }
}

fn futile(page: &mut Page, explanation: &Explanation) {
    if explanation.futile.is_empty() {
        return;
    }
    page.heading("What does not help");
    for futile in &explanation.futile {
        page.item(2, "- ", futile.words());
    }
}

/// Writes what could not be looked at.
pub(super) fn unseen(page: &mut Page, explanation: &Explanation) {
    if explanation.unseen.is_empty() {
        return;
    }
    page.heading("Not seen");
    for unseen in &explanation.unseen {
        page.item(2, "- ", &format!("{}: {} ({})", unseen.what, unseen.why, unseen.remedy));
    }
}

fn basis(page: &mut Page, explanation: &Explanation) {
    page.heading("Assumed");
    if let Some(judgement) = explanation.judgements.first() {
        page.line(2, &assumed(&judgement.request, explanation));
    }
    for caution in &explanation.cautions {
        page.item(2, "! ", caution.words());
    }
    let inherited = explanation
        .conflicts
        .iter()
        .flat_map(|conflict| &conflict.holders)
        .any(|holder| !matches!(holder.inheritance, Inheritance::NotSeen));
    if inherited {
        page.item(2, "! ", "an inherited socket is released only when every holder has closed it");
    }
    if explanation.judgements.iter().any(|j| j.errno() == Some(Errno::AccessDenied))
        && explanation.cautions.contains(&Caution::TrialMade)
    {
        page.item(2, "! ", "EACCES may also come from Landlock or another security module");
    }
}

fn assumed(request: &Request, explanation: &Explanation) -> String {
    let Options { reuse_address, reuse_port, v6only, device, .. } = request.options;
    let on = |set: bool| if set { "on" } else { "off" };
    let device = device.map_or_else(String::new, |device| format!(", on interface {device}"));
    let kernel = explanation.kernel;
    format!(
        "SO_REUSEADDR {}, SO_REUSEPORT {}, V6ONLY {}{device}, as uid {}; the rules of Linux {}.{}",
        on(reuse_address),
        on(reuse_port),
        on(v6only || explanation.judgements.iter().any(|j| j.request.options.v6only)),
        request.uid,
        kernel.major,
        kernel.minor
    )
}

const HOLDERS_SHOWN: usize = 8;
const NEIGHBOURS_SHOWN: usize = 6;
