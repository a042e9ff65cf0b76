//! Present values and counts of the calling thread's network namespace.

use super::Look;
use crate::error::Error;
use lastack_model::tune::{self, Here};
use lastack_os::act::sysctl;
use lastack_os::host;

/// Looks once.
pub(super) fn look() -> Result<Look, Error> {
    let (counts, unseen) = host::counts()?;
    let mut here = Here { kernel: host::kernel_version(), counts, ..Here::default() };
    for setting in tune::all() {
        let Some((key, path, _)) = setting.sysctl() else { continue };
        if let Some(text) = sysctl::read(path)? {
            here.values.insert(key, setting.format.read(&text));
        }
    }
    let namespace = host::own_namespace().ok();
    Ok(Look { here, namespace, taken_at_ms: host::now_ms(), unseen })
}
