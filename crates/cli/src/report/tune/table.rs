//! All settings at a glance.

use super::{bytes, present};
use crate::commands::tune::Look;
use crate::report::page::{Page, Tone};
use lastack_model::tune::{self, Group, Here, Setting, System};

/// Writes the table.
pub fn write(page: &mut Page, look: &Look, settings: &[&'static Setting]) {
    let here = &look.here;
    let is_ours = settings.iter().any(|row| row.system == System::Linux);
    if is_ours {
        summary(page, here, settings);
        counts(page, here);
    } else {
        page.verdict(
            Tone::Mixed,
            "Documented settings of other systems; nothing here was measured.",
        );
    }
    let mut group: Option<Group> = None;
    for setting in settings {
        if group != Some(setting.group) {
            heading(page, setting.group);
            group = Some(setting.group);
        }
        row(page, setting, here);
    }
    if !look.unseen.is_empty() && is_ours {
        page.heading("Not seen");
        for unseen in &look.unseen {
            page.item(2, "- ", &format!("{}: {} ({})", unseen.what, unseen.why, unseen.remedy));
        }
    }
    page.heading("Ask next");
    page.command(2, "lastack tune tcp_fin_timeout       explains a setting");
    page.command(2, "lastack tune tcp_fin_timeout=30    says what a change would do, and makes it");
    page.command(2, "lastack tune --os all              what other systems have");
}

fn summary(page: &mut Page, here: &Here, settings: &[&'static Setting]) {
    let changed = |row: &&&'static Setting| {
        let value = row.sysctl().and_then(|(key, _, _)| here.values.get(&key));
        value.and_then(|value| row.differs(value)) == Some(true)
    };
    let differ = settings.iter().filter(changed).count();
    let wrong = settings.iter().filter(|row| !tune::concerns(row, here).is_empty()).count();
    let first = match differ {
        0 => "Every setting has the kernel's default".to_owned(),
        1 => "1 setting differs from the kernel's default".to_owned(),
        n => format!("{n} settings differ from the kernel's defaults"),
    };
    match wrong {
        0 => page.verdict(Tone::Good, &format!("{first}; none gives cause for concern.")),
        1 => page.verdict(Tone::Mixed, &format!("{first}; 1 gives cause for concern.")),
        n => page.verdict(Tone::Mixed, &format!("{first}; {n} give cause for concern.")),
    }
}

fn counts(page: &mut Page, here: &Here) {
    let counts = &here.counts;
    page.heading("Here now");
    let memory = match counts.time_wait_bytes {
        Some(each) => {
            let all = bytes(each.saturating_mul(counts.minisocks()));
            format!(", {each} bytes each: {all} in all")
        }
        None => String::new(),
    };
    page.line(
        2,
        &format!(
            "{} TIME_WAIT and {} FIN_WAIT_2 without a process{memory}",
            counts.time_wait, counts.fin_wait_2_orphans
        ),
    );
    let orphans =
        counts.orphans_on_host.map_or_else(String::new, |all| format!(" ({all} on the host)"));
    page.line(
        2,
        &format!(
            "{} orphans still sending{orphans}, {} live, {} listening",
            counts.orphans, counts.live, counts.listeners
        ),
    );
    let (usable, used) = here.budget();
    page.line(2, &format!("{used} of {usable} local ports in use"));
}

fn heading(page: &mut Page, group: Group) {
    page.heading(group.title());
    let (name, present, default) = match group {
        Group::Elsewhere => ("", "system", "default"),
        Group::Socket => ("", "", "default"),
        _ => ("", "now", "default"),
    };
    page.command(2, format!("{name:<31} {present:<21} {default}").trim_end());
}

fn row(page: &mut Page, setting: &'static Setting, here: &Here) {
    let now = match setting.group {
        Group::Elsewhere => setting.system.name().to_owned(),
        Group::Socket => String::new(),
        _ => present(setting, here),
    };
    let default = setting.with_unit(setting.default);
    page.command(2, &format!("{:<31} {now:<21} {default}", setting.name));
    page.line(6, setting.gist);
    for concern in tune::concerns(setting, here) {
        page.item(6, "! ", &concern);
    }
}
