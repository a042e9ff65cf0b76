//! Several changes at once: all of them valid or none, each with what it would do here, in an order the kernel takes.

use super::danger::{cautions, dangers, troubles};
use super::effect::effects;
use super::here::Here;
use super::setting::{Key, Place, Scope, Setting};
use super::value::{Invalid, Value};

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The changes, in the order in which they can be made.
    pub changes: Vec<Change>,
}

/// One setting, from its present value to the wanted one.
#[derive(Clone, Debug)]
pub struct Change {
    /// Which.
    pub setting: &'static Setting,
    /// Which sysctl.
    pub key: Key,
    /// What it is.
    pub present: Value,
    /// What it shall be.
    pub wanted: Value,
    /// What that would do on this host now.
    pub effects: Vec<String>,
    /// What to keep in mind.
    pub cautions: Vec<String>,
    /// Why it should not be done; done only if forced.
    pub dangers: Vec<String>,
}

impl Change {
    /// Whether it changes anything.
    pub fn is_needed(&self) -> bool {
        self.present != self.wanted
    }

    fn new(setting: &'static Setting, key: Key, present: Value, wanted: Value) -> Self {
        let (effects, cautions, dangers) = Default::default();
        Self { setting, key, present, wanted, effects, cautions, dangers }
    }
}

/// Checks the wanted values and tells what they would do.
pub fn plan(requests: &[(&'static Setting, &str)], here: &Here) -> Result<Plan, Invalid> {
    let mut changes: Vec<Change> = Vec::new();
    for (setting, text) in requests {
        let key = settable(setting)?;
        if changes.iter().any(|change| change.key == key) {
            return Err(Invalid(format!("{} is given twice", setting.name)));
        }
        let wanted = checked(setting, text)?;
        let present = here.values.get(&key).ok_or_else(|| Invalid(absent(setting)))?;
        changes.push(Change::new(setting, key, present.clone(), wanted));
    }
    let mut after = here.clone();
    after.values.extend(changes.iter().map(|change| (change.key, change.wanted.clone())));
    fits_together(&after)?;
    for change in changes.iter_mut().filter(|change| change.is_needed()) {
        change.effects = effects(change, here, &after);
        change.cautions = cautions(change, here, &after);
        change.dangers = dangers(change, here, &after);
    }
    order(&mut changes, here);
    Ok(Plan { changes })
}

/// What the present value of a setting does on this host. Empty for what is no sysctl of it.
pub fn standing(setting: &'static Setting, here: &Here) -> Vec<String> {
    as_it_is(setting, here).map(|change| effects(&change, here, here)).unwrap_or_default()
}

/// What is wrong with the present value of a setting on this host.
pub fn concerns(setting: &'static Setting, here: &Here) -> Vec<String> {
    let Some(change) = as_it_is(setting, here) else { return Vec::new() };
    let mut found = dangers(&change, here, here);
    found.extend(troubles(change.key, here));
    found
}

fn as_it_is(setting: &'static Setting, here: &Here) -> Option<Change> {
    let (key, _, _) = setting.sysctl()?;
    let present = here.values.get(&key)?;
    Some(Change::new(setting, key, present.clone(), present.clone()))
}

fn settable(setting: &Setting) -> Result<Key, Invalid> {
    let why = match setting.place {
        Place::Sysctl { key, .. } => return Ok(key),
        Place::SocketOption { level } => {
            format!(
                "is set by a program on its own socket (setsockopt at {level}), not from outside"
            )
        }
        Place::CompiledIn => "is compiled into the kernel: nothing changes it".into(),
        Place::Removed => format!("does not exist any more: {}", setting.history),
        Place::OtherSystem => format!("belongs to {}", setting.system.name()),
    };
    Err(Invalid(format!("{} {why}", setting.name)))
}

fn checked(setting: &Setting, text: &str) -> Result<Value, Invalid> {
    let unit = if setting.unit.is_empty() { String::new() } else { format!(" {}", setting.unit) };
    let takes = format!("it takes {}{unit}", setting.format.words());
    let value = setting
        .format
        .parse(text)
        .map_err(|Invalid(why)| Invalid(format!("{}: {why} ({takes})", setting.name)))?;
    if value.to_string().len() > LONGEST {
        return Err(Invalid(format!("{}: longer than the kernel reads at once", setting.name)));
    }
    Ok(value)
}

/// Why a sysctl is not there.
fn absent(setting: &Setting) -> String {
    let name = setting.name;
    match (setting.place, setting.since) {
        (Place::Sysctl { scope: Scope::Host, .. }, _) => format!(
            "{name} is of the whole host and not shown in this network namespace: change it in the first one"
        ),
        (_, Some(since)) => format!(
            "{name}: this kernel does not have it (it came with Linux {}.{})",
            since.major, since.minor
        ),
        (_, None) => format!("{name}: this kernel does not show it"),
    }
}

/// What the kernel refuses of values that are each in range (`ipv4_local_port_range`, `ipv4_privileged_ports`).
fn fits_together(after: &Here) -> Result<(), Invalid> {
    let low = after.port_range().low.0;
    match after.number(Key::UnprivilegedPortStart) {
        Some(start) if u64::from(low) < start => Err(Invalid(format!(
            "ip_local_port_range would begin at {low}, below ip_unprivileged_port_start, {start}: the kernel refuses \
             that"
        ))),
        _ => Ok(()),
    }
}

/// The range and the first unprivileged port limit each other at every moment, not only at the end.
fn order(changes: &mut [Change], here: &Here) {
    let start = changes.iter().find(|change| change.key == Key::UnprivilegedPortStart);
    let start_fits_now = start
        .and_then(|change| change.wanted.number())
        .is_some_and(|start| start <= u64::from(here.port_range().low.0));
    changes.sort_by_key(|change| match change.key {
        Key::UnprivilegedPortStart if start_fits_now => 0,
        Key::PortRange => 1,
        Key::UnprivilegedPortStart => 2,
        _ => 3,
    });
}

/// A write to a sysctl is cut to a page less one byte, and the line's end takes one (`proc_do_large_bitmap`).
const LONGEST: usize = 4094;
