//! What `lastack tune` prints.

pub mod change;
pub mod explain;
pub mod json;
pub mod table;
pub mod undo;

use lastack_model::tune::{Here, Place, Setting};

/// The present value as it is shown, with its unit.
fn present(setting: &Setting, here: &Here) -> String {
    match setting.place {
        Place::Sysctl { key, .. } => here
            .values
            .get(&key)
            .map_or_else(|| "not here".into(), |value| setting.with_unit(&value.to_string())),
        Place::CompiledIn => setting.with_unit(setting.default),
        Place::SocketOption { .. } | Place::Removed | Place::OtherSystem => "-".into(),
    }
}

/// An amount of memory as people say it.
fn bytes(count: u64) -> String {
    match count {
        0..10_240 => format!("{count} bytes"),
        10_240..10_485_760 => format!("{} KiB", count / 1024),
        _ => format!("{} MiB", count / 1_048_576),
    }
}
