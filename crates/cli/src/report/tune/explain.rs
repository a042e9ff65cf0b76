//! One setting, explained.

use super::present;
use crate::commands::tune::Look;
use crate::report::page::{Page, Tone};
use lastack_model::tune::{self, Format, Place, Proof, Scope, Setting};

/// Writes what there is to say about each.
pub fn write(page: &mut Page, look: &Look, settings: &[&'static Setting]) {
    for (at, setting) in settings.iter().enumerate() {
        if at > 0 {
            page.line(0, "");
        }
        one(page, look, setting);
    }
}

fn one(page: &mut Page, look: &Look, setting: &'static Setting) {
    let concerns = tune::concerns(setting, &look.here);
    let tone = if concerns.is_empty() { Tone::Good } else { Tone::Mixed };
    page.verdict(tone, &title(setting, look));
    field(page, "does", setting.does);
    if let Some(myth) = setting.myth {
        field(page, "said", myth.said);
        field(page, "true", myth.fact);
    }
    field(page, "risk", setting.risk);
    for concern in &concerns {
        field(page, "now!", concern);
    }
    for (at, line) in tune::standing(setting, &look.here).iter().enumerate() {
        field(page, if at == 0 { "here" } else { "" }, line);
    }
    field(page, "takes", &takes(setting));
    field(page, "reach", &reach(setting));
    field(page, "since", setting.history);
    field(page, "source", setting.source);
    match setting.proof {
        Proof::Experiment(test) => {
            let file = test.split("::").next().unwrap_or(test);
            field(page, "proof", &format!("a test on the running kernel, in {file}"));
        }
        Proof::Documented(why) => field(page, "proof", &format!("read, not tested: {why}")),
    }
    if setting.sysctl().is_some() {
        let value = match setting.format {
            Format::PortRange => "LOW-HIGH",
            Format::PortSet => "PORT,LOW-HIGH",
            Format::Triple => "'LOW PRESSURE HIGH'",
            Format::Number { .. } | Format::Free => "VALUE",
        };
        page.line(0, "");
        page.command(2, &format!("lastack tune {}={value}", setting.name));
    }
}

fn title(setting: &Setting, look: &Look) -> String {
    let default = setting.with_unit(setting.default);
    let name = setting.full_name();
    match setting.place {
        Place::Sysctl { .. } => {
            format!("{name} is {} (default {default})", present(setting, &look.here))
        }
        Place::SocketOption { level } => {
            format!("{name}, an option of one socket ({level}, default {default})")
        }
        Place::CompiledIn => {
            format!("{name} is {default}, compiled into the kernel of {}", setting.system.name())
        }
        Place::Removed => format!("{name} does not exist any more"),
        Place::OtherSystem => format!("{name} of {} (default {default})", setting.system.name()),
    }
}

fn takes(setting: &Setting) -> String {
    let unit = if setting.unit.is_empty() { String::new() } else { format!(" {}", setting.unit) };
    match setting.format.words() {
        words if words.is_empty() => words,
        words if setting.format == Format::Triple => format!("{words}, in{unit}"),
        words => words + &unit,
    }
}

fn reach(setting: &Setting) -> String {
    match setting.place {
        Place::Sysctl { scope: Scope::Namespace, .. } => {
            "one network namespace, IPv4 and IPv6".into()
        }
        Place::Sysctl { scope: Scope::Host, .. } => {
            "the whole host; shown and set in its first network namespace only".into()
        }
        Place::SocketOption { .. } => "one socket; its program sets it".into(),
        Place::CompiledIn | Place::Removed | Place::OtherSystem => String::new(),
    }
}

/// A line with its name, unless there is nothing to say.
fn field(page: &mut Page, name: &str, text: &str) {
    if !text.is_empty() {
        page.item(2, &format!("{name:<8}"), text);
    }
}
