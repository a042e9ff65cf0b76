//! `lastack check tables`: what exhaustive search finds is what the book says. The pages of the book hold whole tables as
//! transcripts; here are the claims by name, and the program around them. No privilege is needed.

use lastack_lab::paper::assert_clean;
use lastack_lab::program::{Run, lastack};
use lastack_model::findings::{self, Cost, Found, Row, Value};
use std::fs;
use std::path::Path;

/// The row whose setting begins so.
fn searched(table: &str, setting: &str) -> Found {
    let table = findings::find(table).expect("a table");
    let row = table.rows.iter().find(|row| row.setting.starts_with(setting));
    let row = row.unwrap_or_else(|| panic!("{} has no row {setting:?}", table.name));
    let found = (row.search)(2);
    assert!(row.holds(&found), "{setting}: {:?} {:?}", found.values, row.expected);
    found
}

fn values(table: &str, setting: &str) -> Vec<Value> {
    searched(table, setting).values
}

#[test]
fn time_wait_keeps_old_segments_out_of_the_next_connection() {
    let kept = "TIME_WAIT is kept, resets do not end it, the last ACK arrives in time";
    assert_eq!(values("incarnations", kept), [Value::Never]);
    assert_eq!(values("incarnations", "TIME_WAIT is skipped"), [Value::After(11)]);
}

#[test]
fn rising_initial_numbers_are_a_guard_of_their_own() {
    for setting in
        ["TIME_WAIT is skipped, initial numbers rise", "it is aborted, initial numbers rise"]
    {
        assert_eq!(values("incarnations", setting), [Value::Never]);
    }
}

#[test]
fn a_reset_that_ends_time_wait_lets_an_old_segment_in_as_in_the_figure_of_rfc_1337() {
    assert_eq!(values("incarnations", "a reset ends TIME_WAIT"), [Value::After(13)]);
}

#[test]
fn losses_that_outlast_time_wait_let_an_old_segment_in() {
    assert_eq!(values("incarnations", "losses outlast TIME_WAIT"), [Value::After(16)]);
}

#[test]
fn who_sends_the_last_acknowledgement_must_wait_and_nobody_else() {
    assert_eq!(values("waits", "the first closer waits"), [Value::Never; 2]);
    assert_eq!(values("waits", "both wait"), [Value::Never; 2]);
    let refused_and_deceived = [Value::After(6), Value::After(10)];
    assert_eq!(values("waits", "the second closer waits"), refused_and_deceived);
    assert_eq!(values("waits", "nobody waits"), refused_and_deceived);
}

#[test]
fn last_ack_ends_only_while_its_peer_waits() {
    let setting = "an ACK ends LAST_ACK, and the other end is not in TIME_WAIT";
    assert_eq!(values("endings", setting), [Value::Never]);
}

#[test]
fn a_wait_must_outlast_three_lifetimes_where_only_a_fin_starts_it_anew_and_two_where_any_ack_does()
{
    for (setting, found) in [
        ("L = 1, a FIN starts the wait anew, 3 ticks", Value::After(17)),
        ("L = 1, a FIN starts the wait anew, 4 ticks", Value::Never),
        ("L = 1, any ACK does, 2 ticks", Value::After(14)),
        ("L = 1, any ACK does, 3 ticks", Value::Never),
    ] {
        assert_eq!(values("time-wait", setting), [found], "{setting}");
    }
}

#[test]
fn when_fins_cross_nobody_is_closed_without_time_wait_but_for_losses_giving_up_and_aborts() {
    let setting = "the FINs cross: an end is CLOSED without TIME_WAIT";
    assert_eq!(values("endings", setting), [Value::Never]);
    let table = findings::find("endings").expect("a table");
    let exceptions = table.rows.iter().filter(|row| row.setting.contains("TIME_WAIT, as "));
    assert_eq!(exceptions.clone().count(), 3);
    for row in exceptions {
        let found = (row.search)(2);
        assert!(row.holds(&found) && found.story.is_some(), "{}", row.setting);
    }
}

#[test]
fn a_program_that_dies_leaves_the_wait_to_its_own_side() {
    assert_eq!(values("endings", "B's program dies first: A is in TIME_WAIT"), [Value::Never]);
    assert_eq!(values("endings", "B's program dies first: B is in TIME_WAIT"), [Value::After(4)]);
}

#[test]
fn what_the_book_says_of_the_large_searches_is_what_they_are_compared_with() {
    let page = |name| {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
        let text = fs::read_to_string(file).expect("a page");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let rows = |name| findings::find(name).expect("a table").rows.iter();
    let is_large = |row: &&Row| row.cost == Cost::Large;
    let sizes: Vec<_> = rows("sizes").filter(is_large).map(|row| row.size).collect();
    assert_eq!(sizes, [Some((12_468_832, 122_819_182))]);
    assert!(page("every-state.md").contains("12,468,832 states and 122,819,182 transitions"));
    let waits: Vec<_> =
        rows("time-wait").filter(is_large).map(|row| (row.setting, row.expected)).collect();
    assert_eq!(
        waits,
        [
            ("L = 3, a FIN starts the wait anew, 9 ticks", &[Value::After(23)][..]),
            ("L = 3, a FIN starts the wait anew, 10 ticks", &[Value::Never]),
            ("L = 3, any ACK does, 6 ticks", &[Value::After(18)]),
            ("L = 3, any ACK does, 7 ticks", &[Value::Never]),
            ("L = 1, resets end TIME_WAIT, 4 ticks, initial numbers rise", &[Value::Never]),
        ]
    );
    let told = "9 ticks are not enough and 10 are where only a FIN starts the wait anew, 6 and 7 where any";
    assert!(page("how-long-must-time-wait-be.md").contains(told));
}

#[test]
fn every_story_that_was_found_can_be_drawn() {
    let mut drawn = 0;
    for name in ["vanishing", "waits", "endings"] {
        let table = findings::find(name).expect("a table");
        for (at, row) in table.rows.iter().enumerate() {
            let Some(story) = (row.search)(2).story else { continue };
            let steps = story.steps as usize;
            let ladder = story.into_ladder(table, at);
            assert!(ladder.events.len() >= steps, "{name} {}: {ladder:#?}", row.setting);
            drawn += 1;
        }
    }
    assert!(drawn > 10, "{drawn}");
}

#[test]
fn the_answer_fits_eighty_columns_and_says_that_all_is_as_documented() {
    let Run { stdout, stderr, code } = lastack(&["check", "tables", "waits", "endings"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    assert_clean(&stdout);
    let last = stdout.lines().last().expect("a verdict");
    assert!(last.starts_with("All 16 rows are as documented ("), "{last}");
}

#[test]
fn a_story_is_drawn_as_text_and_as_a_picture() {
    let text = lastack(&["check", "tables", "waits", "--story", "4"]);
    assert_eq!((text.code, text.stderr.as_str()), (Some(0), ""));
    assert!(text.stdout.contains("LAST_ACK") && text.stdout.contains("ECONNRESET"), "{text:#?}");
    let picture = lastack(&["check", "tables", "waits", "--story", "4", "--format", "svg"]);
    assert!(picture.stdout.starts_with("<svg "), "{picture:#?}");
}

#[test]
fn what_is_asked_wrongly_is_one_clear_error() {
    for (arguments, said) in [
        (&["check", "tables", "wiats"][..], "there are: sizes, reach, vanishing"),
        (&["check", "tables", "waits", "--story", "5"], "it has 4"),
        (&["check", "tables", "waits", "--story", "1"], "never happens"),
        (&["check", "tables", "waits", "sizes", "--story", "1"], "a single one"),
        (&["check", "tables", "waits", "--format", "svg"], "--story"),
        (&["check", "tables", "waits", "--story", "4", "--format", "dot"], "text, svg, mermaid"),
    ] {
        let Run { stdout, stderr, code } = lastack(arguments);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{arguments:?}: {stderr}");
        assert!(stderr.starts_with("lastack: ") && stderr.lines().count() == 1, "{stderr}");
        assert!(stderr.contains(said), "{stderr}");
    }
    assert_eq!(lastack(&["check", "tables", "--story", "1"]).code, Some(2));
    assert_eq!(lastack(&["check", "tables", "waits", "--story", "0"]).code, Some(2));
}
