//! The answers of `tune` for programs.

use crate::commands::tune::undo::Restore;
use crate::commands::tune::{Look, Outcome};
use crate::exit::Exit;
use crate::report::json;
use lastack_model::facts::{KernelVersion, Unseen};
use lastack_model::ids::NamespaceId;
use lastack_model::tune::{self, Counts, Setting, Undo};
use serde::Serialize;

#[derive(Serialize)]
struct Answer<'a> {
    schema: &'static str,
    exit: u8,
    taken_at_ms: u64,
    kernel: KernelVersion,
    namespace: Option<NamespaceId>,
    counts: &'a Counts,
    ports: Ports,
    settings: Vec<Row>,
    changes: &'a [Change],
    outcome: Option<&'a Outcome>,
    unseen: &'a [Unseen],
}

/// The local ports that the kernel lends.
#[derive(Serialize)]
struct Ports {
    usable: u64,
    used: u64,
}

/// One setting, and what it is here.
#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    setting: &'static Setting,
    full_name: String,
    present: Option<String>,
    differs: Option<bool>,
    standing: Vec<String>,
    concerns: Vec<String>,
}

/// One change, wanted or taken back.
#[derive(Debug, Serialize)]
pub struct Change {
    name: &'static str,
    full_name: String,
    present: String,
    wanted: String,
    needed: bool,
    effects: Vec<String>,
    cautions: Vec<String>,
    dangers: Vec<String>,
}

impl Change {
    /// A change of a plan.
    pub fn of(change: &tune::Change) -> Self {
        Self {
            name: change.setting.name,
            full_name: change.setting.full_name(),
            present: change.present.to_string(),
            wanted: change.wanted.to_string(),
            needed: change.is_needed(),
            effects: change.effects.clone(),
            cautions: change.cautions.clone(),
            dangers: change.dangers.clone(),
        }
    }

    /// A change taken back.
    pub fn back(restore: &Restore) -> Self {
        Self {
            name: restore.setting.name,
            full_name: restore.setting.full_name(),
            present: restore.present.to_string(),
            wanted: restore.before.to_string(),
            needed: restore.undo != Undo::AlreadyBack,
            effects: Vec::new(),
            cautions: Vec::new(),
            dangers: Vec::new(),
        }
    }
}

/// The line for one answer.
pub fn line(
    look: &Look,
    settings: &[&'static Setting],
    changes: &[Change],
    outcome: Option<&Outcome>,
    exit: Exit,
) -> String {
    let (usable, used) = look.here.budget();
    json::line(&Answer {
        schema: "lastack.tune/1",
        exit: exit.code(),
        taken_at_ms: look.taken_at_ms,
        kernel: look.here.kernel,
        namespace: look.namespace,
        counts: &look.here.counts,
        ports: Ports { usable, used },
        settings: settings.iter().map(|setting| row(setting, look)).collect(),
        changes,
        outcome,
        unseen: &look.unseen,
    })
}

fn row(setting: &'static Setting, look: &Look) -> Row {
    let present = setting.sysctl().and_then(|(key, _, _)| look.here.values.get(&key));
    Row {
        setting,
        full_name: setting.full_name(),
        present: present.map(ToString::to_string),
        differs: present.and_then(|value| setting.differs(value)),
        standing: tune::standing(setting, &look.here),
        concerns: tune::concerns(setting, &look.here),
    }
}
