//! What `--help` and `-h` print: no wider than anything else that is printed, and not a word more or less for that.

use lastack_lab::program::lastack;
use lastack_lab::terminal::on_terminal;

/// The words that call each verb, the program alone first, with each way to ask for help.
fn questions() -> Vec<Vec<String>> {
    let mut left = vec![(Vec::new(), lastack::command())];
    let mut questions = Vec::new();
    while let Some((words, definition)) = left.pop() {
        for verb in definition.get_subcommands() {
            let words: Vec<String> = [&words[..], &[verb.get_name().to_owned()]].concat();
            left.push((words, verb.clone()));
        }
        for flag in ["-h", "--help"] {
            questions.push([&words[..], &[flag.to_owned()]].concat());
        }
    }
    questions
}

fn widest(text: &str) -> usize {
    text.lines().map(|line| line.chars().count()).max().unwrap_or_default()
}

/// The help without a bound to its lines.
fn unwrapped(words: &[String]) -> String {
    let program = lastack::command().term_width(0);
    let typed = ["lastack"].into_iter().chain(words.iter().map(String::as_str));
    program.try_get_matches_from(typed).expect_err("help is no match").to_string()
}

#[test]
fn in_a_pipe_no_help_is_wider_than_80_columns_and_no_word_is_lost() {
    let questions = questions();
    assert!(questions.len() > 2 * 9, "{questions:?}");
    for words in questions {
        let typed: Vec<&str> = words.iter().map(String::as_str).collect();
        let help = lastack(&typed);
        assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""), "{typed:?}");
        assert!(widest(&help.stdout) <= 80, "{typed:?}: {}", help.stdout);
        assert!(!help.stdout.contains('\x1b'), "{typed:?}: {}", help.stdout);
        let whole = unwrapped(&words);
        assert!(help.stdout.split_whitespace().eq(whole.split_whitespace()), "{}", help.stdout);
    }
}

#[test]
fn a_narrow_terminal_is_heeded_and_a_wide_one_is_not_filled() {
    assert!(widest(&without_colour(&on_terminal(60, "wait --help"))) <= 60);
    let wide = without_colour(&on_terminal(140, "wait --help"));
    assert!((61..=80).contains(&widest(&wide)), "{wide}");
}

fn without_colour(text: &str) -> String {
    let mut parts = text.split('\x1b');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or(part, |(_, rest)| rest))
}
