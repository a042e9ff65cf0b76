//! The sysctls of Linux, and what is compiled in or gone.

mod after_close;
mod listening;
mod ports;
mod silence;

use super::setting::{Group, Key, Place, Proof, Scope, Setting, System};
use super::value::Format;

/// The tables, in order.
pub(super) fn tables() -> impl Iterator<Item = &'static Setting> {
    after_close::TABLE.iter().chain(silence::TABLE).chain(listening::TABLE).chain(ports::TABLE)
}

/// A sysctl of the network namespace.
const fn sysctl(key: Key, path: &'static str) -> Place {
    Place::Sysctl { key, path, scope: Scope::Namespace }
}

/// What the rows have in common.
const ROW: Setting = Setting {
    name: "",
    system: System::Linux,
    group: Group::AfterClose,
    place: Place::CompiledIn,
    unit: "",
    default: "",
    format: SWITCH,
    gist: "",
    does: "",
    myth: None,
    source: "",
    risk: "",
    since: None,
    history: "",
    proof: Proof::Documented(""),
};

const SWITCH: Format = Format::Number { least: 0, most: 1 };
/// `u8` in the kernel (`proc_dou8vec_minmax`).
const BYTE: Format = Format::Number { least: 0, most: 255 };
/// Seconds that the kernel keeps as ticks in an `int`, at up to 1000 a second (`proc_dointvec_jiffies`).
const MOST_SECONDS: u64 = 2_147_483;
const INT: u64 = i32::MAX as u64;
