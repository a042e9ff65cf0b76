//! What would be run, for `--dry-run`.

use super::{Plan, json};
use crate::args::RshArgs;
use crate::error::Error;
use crate::report::page::{self, Page};
use crate::typed::quoted;
use lastack_rsh::hosts::fold;
use std::ffi::OsString;

/// Says what would be run, and how on the first host.
pub fn planned(plan: &Plan, args: &RshArgs, first: &[OsString]) -> Result<(), Error> {
    if args.show.output.json {
        return page::print(&json::planned(plan, true));
    }
    let mut page = Page::of_terminal();
    let hosts = fold(plan.labels.iter().map(String::as_str));
    let count = match plan.labels.len() {
        1 => "1 host".to_owned(),
        count => format!("{count} hosts, {} at once", plan.fanout.min(count)),
    };
    page.line(0, &format!("Would run on {count}, over {}:", plan.via));
    page.line(2, &hosts);
    page.line(0, "on each of them:");
    for command in &plan.commands {
        page.command(2, &plain(&String::from_utf8_lossy(command)));
    }
    if !first.is_empty() {
        page.line(0, &format!("on {} by:", plan.labels[0]));
        let words: Vec<String> =
            first.iter().map(|word| quoted(&plain(&word.to_string_lossy()))).collect();
        page.command(2, &words.join(" "));
    }
    page.print()
}

fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\t' { '?' } else { c }).collect()
}
