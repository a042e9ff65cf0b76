//! A plan, what was done of it, and what keeps it from being done, for people.

use super::page::Page;
use super::phrase;
use crate::carry::{Outcome, Survivor};
use lastack_model::facts::Process;
use lastack_model::plan::{
    Act, Aftermath, Obstacle, Plan, Refusal, Step, Whereabouts, destroy_words, disconnect_words,
};
use lastack_model::remains::Risk;
use lastack_model::stop::{Companion, Hindrance};
use lastack_model::why::{Conflict, Role};

/// Writes the steps, and what is in the way of them.
pub fn write(page: &mut Page, plan: &Plan, conflicts: &[Conflict]) {
    if !plan.steps.is_empty() {
        page.heading("Plan");
    }
    for (at, step) in plan.steps.iter().enumerate() {
        write_step(page, &format!("{}. ", at + 1), step, conflicts);
    }
    if let Some(aftermath) = plan.aftermath {
        page.item(2, "- ", &after(aftermath));
    }
    write_obstacles(page, &plan.obstacles, conflicts);
}

/// Writes one step with its harm and its command.
pub fn write_step(page: &mut Page, mark: &str, step: &Step, conflicts: &[Conflict]) {
    page.item(2, mark, &sentence(&act(step, conflicts)));
    page.line(2 + mark.len(), &harm(step, conflicts));
    if let Act::Stop(stop) = &step.act {
        page.command(2 + mark.len(), &stop.means.command(&stop.processes));
    }
}

/// Writes what keeps the address from being made usable.
pub fn write_obstacles(page: &mut Page, obstacles: &[Obstacle], conflicts: &[Conflict]) {
    if obstacles.is_empty() {
        return;
    }
    page.heading("What cannot be done");
    for obstacle in obstacles {
        page.item(2, "- ", &self::obstacle(obstacle, conflicts));
    }
}

/// Writes what came of one step.
pub fn write_done(page: &mut Page, step: &Step, outcome: &Outcome, conflicts: &[Conflict]) {
    let act = sentence(&act(step, conflicts));
    page.item(0, "- ", &format!("{act}: {}", self::outcome(outcome)));
}

/// What a step does, as an order.
pub fn act(step: &Step, conflicts: &[Conflict]) -> String {
    match &step.act {
        Act::Wait { least_ms, most_ms } => format!(
            "wait {}, at most {}, for the end of {}",
            phrase::duration(*least_ms),
            phrase::duration(*most_ms),
            named(&step.conflicts, conflicts)
        ),
        Act::Destroy { .. } => format!("destroy {}", named(&step.conflicts, conflicts)),
        Act::Disconnect { .. } => {
            format!("end {} through its holder", named(&step.conflicts, conflicts))
        }
        Act::Stop(owner) => {
            let who: Vec<String> =
                owner.processes.iter().map(|p| format!("{} (pid {})", p.name, p.pid)).collect();
            format!("stop {}", who.join(", "))
        }
    }
}

fn harm(step: &Step, conflicts: &[Conflict]) -> String {
    match &step.act {
        Act::Wait { .. } => "nothing is done".into(),
        Act::Disconnect { role } => format!("stops nobody: {}", disconnect_words(*role)),
        Act::Destroy { role, risk } => {
            let words = [destroy_words(*role)].into_iter().chain(risk.map(Risk::words));
            let unsent = unacknowledged(&step.conflicts, conflicts);
            format!("stops nobody: {}{unsent}", words.collect::<Vec<_>>().join("; "))
        }
        Act::Stop(owner) => {
            let frees = named(&step.conflicts, conflicts);
            format!("stops a program, which closes {frees}{}", also(&owner.also))
        }
    }
}

/// Who ends beside the holders.
fn also(companions: &[Companion]) -> String {
    let named = |companion: &Companion| format!("{} (pid {})", companion.name, companion.pid);
    let shown: Vec<String> = companions.iter().take(COMPANIONS_SHOWN).map(named).collect();
    match companions.len().checked_sub(COMPANIONS_SHOWN) {
        _ if companions.is_empty() => String::new(),
        None | Some(0) => format!("; with it end {}", shown.join(", ")),
        Some(more) => format!("; with it end {} and {more} more", shown.join(", ")),
    }
}

fn unacknowledged(which: &[usize], conflicts: &[Conflict]) -> String {
    let bytes: u64 = which.iter().map(|at| conflicts[*at].sockets.unacknowledged).sum();
    match bytes {
        0 => String::new(),
        1 => "; 1 byte is not acknowledged".into(),
        n => format!("; {n} bytes are not acknowledged"),
    }
}

fn after(aftermath: Aftermath) -> String {
    let Aftermath { connections, may_destroy } = aftermath;
    let what = match connections {
        1 => "its connection may leave".to_owned(),
        n => format!("its {n} connections may leave"),
    };
    let then = if may_destroy {
        "what of it is in the way is destroyed then"
    } else {
        "that may hold the port for up to two minutes; to destroy it needs CAP_NET_ADMIN (root)"
    };
    format!("{what} FIN_WAIT_2 or TIME_WAIT behind: {then}")
}

fn obstacle(obstacle: &Obstacle, conflicts: &[Conflict]) -> String {
    match obstacle {
        Obstacle::NoSocketToBlame => {
            "no socket is to blame, so ending one would not help (`lastack why` says what would)"
                .into()
        }
        Obstacle::HolderUnseen { conflicts: which, whereabouts: Whereabouts::OtherUser(uid) } => {
            format!(
                "{} belongs to uid {uid}, whose processes you may not look into: root can see \
                 which of them holds it, and stop it",
                named(which, conflicts)
            )
        }
        Obstacle::HolderUnseen { conflicts: which, whereabouts: Whereabouts::OutOfSight } => {
            format!(
                "no visible process holds {}, and only its holder can close it: a process in \
                 another PID namespace (root outside of it sees that), or a descriptor in flight",
                named(which, conflicts)
            )
        }
        Obstacle::MayNotDestroy { conflicts: which } => {
            format!(
                "destroying {} needs CAP_NET_ADMIN: run as root{}",
                named(which, conflicts),
                ends(which, conflicts)
            )
        }
        Obstacle::MayNotSignal(process) => format!(
            "{} belongs to another user: stopping it needs its user's rights or root",
            phrase::process(process)
        ),
        Obstacle::Hindered(hindrance) => {
            let even = match hindrance {
                Hindrance::Ourselves { pid, .. } | Hindrance::Keeper { pid, .. } => {
                    format!(" (--even {pid})")
                }
                _ => String::new(),
            };
            format!("{}; {}{even}", hindrance.words(), hindrance.advice())
        }
        Obstacle::Refused(refusal) => refused(refusal),
        Obstacle::InVain { conflicts: which } => {
            format!("{} was destroyed, and is there again or still", named(which, conflicts))
        }
        Obstacle::RunsOn(process) => format!(
            "{} was told to end and runs on; what is left is SIGKILL (--kill)",
            phrase::process(process)
        ),
        Obstacle::Newcomer(process) => format!(
            "{} holds it now and was not in the plan: something started it again",
            phrase::process(process)
        ),
    }
}

fn refused(refusal: &Refusal) -> String {
    let of = |process: &Process| phrase::process(process);
    match refusal {
        Refusal::NotMine(process) => {
            format!("{} is another user's, and --only-mine forbids it", of(process))
        }
        Refusal::SocketNotMine(uid) => {
            format!("a socket belongs to uid {uid}, and --only-mine forbids it")
        }
        Refusal::OtherCommand { process, wanted } => format!(
            "{} runs {:?}, which does not contain {wanted:?} (--if-command)",
            of(process),
            process.command_line()
        ),
        Refusal::OtherUnit { process, wanted } => {
            format!("{} does not belong to {wanted:?} (--if-unit)", of(process))
        }
        Refusal::HolderUnseen { wanted } => format!(
            "no visible process holds a socket, so nothing shows that it is {wanted:?}'s \
             (--if-command, --if-unit)"
        ),
    }
}

/// When they end by themselves, if that is known.
fn ends(which: &[usize], conflicts: &[Conflict]) -> String {
    let least = |at: &usize| match conflicts[*at].lifetime {
        lastack_model::lifetime::Lifetime::Ends(span) => Some((span.least_ms, span.most_ms)),
        _ => None,
    };
    let spans: Option<Vec<(u64, u64)>> = which.iter().map(least).collect();
    let Some(spans) = spans.filter(|spans| !spans.is_empty()) else { return String::new() };
    let least = spans.iter().map(|span| span.0).max().unwrap_or_default();
    let most = spans.iter().map(|span| span.1).max().unwrap_or_default();
    format!(
        "; or wait {}, at most {}, till it has ended by itself",
        phrase::duration(least),
        phrase::duration(most)
    )
}

fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Destroyed { destroyed, gone: 0 } => format!("destroyed {}", many(*destroyed)),
        Outcome::Destroyed { destroyed, gone } => {
            format!("destroyed {}; {gone} had ended before", many(*destroyed))
        }
        Outcome::Stopped { after_ms, killed } => {
            let how = if *killed { "ended by SIGKILL" } else { "ended" };
            format!("{how} after {}", milliseconds(*after_ms))
        }
        Outcome::StillRuns(survivors) => self::survivors(survivors),
        Outcome::GoneBefore => "it had ended before".into(),
        Outcome::Waited(ms) => format!("waited {}", milliseconds(*ms)),
        Outcome::NotTraced(why) | Outcome::Failed(why) => why.clone(),
    }
}

/// Who still runs, and why.
pub fn survivors(survivors: &[Survivor]) -> String {
    let one = |s: &Survivor| format!("{} (pid {}) still runs: {}", s.name, s.pid, s.why);
    survivors.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn many(sockets: u64) -> String {
    if sockets == 1 { "1 socket".into() } else { format!("{sockets} sockets") }
}

fn milliseconds(ms: u64) -> String {
    if ms < 1000 { format!("{ms} ms") } else { format!("{}.{} s", ms / 1000, ms % 1000 / 100) }
}

/// These conflicts in one phrase; what waits in a listener's queue ends with it and needs no word beside others.
fn named(which: &[usize], conflicts: &[Conflict]) -> String {
    let all: Vec<&Conflict> = which.iter().map(|at| &conflicts[*at]).collect();
    let shown = all.iter().filter(|c| c.role != Role::Queued || all.len() == 1);
    let phrases: Vec<String> = shown.map(|c| phrase::sockets(&c.sockets)).collect();
    match phrases.as_slice() {
        [first, second, rest @ ..] if rest.len() > 1 => {
            format!("{first}, {second} and {} more", rest.len())
        }
        _ => phrases.join(" and "),
    }
}

/// The same with a capital at its beginning.
pub fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

const COMPANIONS_SHOWN: usize = 4;
