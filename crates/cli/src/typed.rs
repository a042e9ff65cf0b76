//! Commands of lastack as a person would type them next: the same address and options, another verb.

use crate::args::BindArgs;
use clap::ValueEnum;
use lastack_model::why::OptionChange;

/// What was typed about the socket that would be bound.
#[derive(Clone, Copy, Debug)]
pub struct Typed<'a> {
    /// The address.
    pub asked: &'a str,
    /// The options.
    pub bind: &'a BindArgs,
}

impl Typed<'_> {
    /// The command with another verb, the options changed, and more flags after them.
    pub fn command(self, verb: &str, change: OptionChange, more: &[&str]) -> String {
        let mut words = vec!["lastack".to_owned(), verb.to_owned(), quoted(self.asked)];
        words.extend(flags(self.bind, change));
        words.extend(more.iter().map(ToString::to_string));
        words.join(" ")
    }
}

fn flags(bind: &BindArgs, change: OptionChange) -> Vec<String> {
    let switches = [
        (bind.reuse_address || change.reuse_address, "--reuse-address"),
        (bind.reuse_port || change.reuse_port, "--reuse-port"),
        (bind.v6only || change.v6only, "--v6only"),
    ];
    let like = bind.like.and_then(|like| like.to_possible_value());
    let values = [
        ("--device", bind.device.clone()),
        ("--uid", bind.uid.clone()),
        ("--like", like.map(|value| value.get_name().to_owned())),
        ("--netns", bind.netns.clone()),
        ("--pid", bind.pid.map(|pid| pid.to_string())),
    ];
    let switches = switches.iter().filter(|(on, _)| *on).map(|(_, name)| (*name).to_owned());
    let values = values.into_iter().filter_map(|(name, value)| Some((name, value?)));
    switches.chain(values.flat_map(|(name, value)| [name.to_owned(), quoted(&value)])).collect()
}

/// As it must be written in a shell, where brackets and stars mean something.
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,%@+=".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, WhyArgs};
    use clap::Parser;

    fn typed(words: &[&str]) -> WhyArgs {
        Cli::parse_from(["lastack"].iter().chain(words)).why
    }

    #[test]
    fn the_options_that_were_typed_are_typed_again() {
        let why = typed(&["8080", "--reuse-port", "--netns", "a b", "--like", "node"]);
        let typed = Typed { asked: "8080", bind: &why.bind };
        assert_eq!(
            typed.command("wait", OptionChange::default(), &[]),
            "lastack wait 8080 --reuse-port --like node --netns 'a b'"
        );
    }

    #[test]
    fn a_change_is_added_and_brackets_are_kept_from_the_shell() {
        let why = typed(&["8080", "--reuse-address"]);
        let typed = Typed { asked: "[::1]:8080", bind: &why.bind };
        let change = OptionChange { reuse_address: true, v6only: true, ..OptionChange::default() };
        assert_eq!(
            typed.command("free", change, &["--yes"]),
            "lastack free '[::1]:8080' --reuse-address --v6only --yes"
        );
    }
}
