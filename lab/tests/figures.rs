//! Figures as users draw them: the files of the book are what lastack draws now, other programs accept them, and what is
//! typed wrong changes nothing.
//!
//! With `LASTACK_FIGURES=write` the files in docs/figures are drawn anew.

use lastack_lab::namespace::Namespace;
use lastack_lab::program::{Run, User, lastack, lastack_as, run};
use lastack_lab::states;
use lastack_lab::terminal::on_terminal;
use lastack_model::bind::{Options, Request};
use lastack_model::facts::Transport;
use lastack_model::figure::matrix;
use lastack_model::ids::{Port, Uid};
use lastack_model::ladder::scenario::SCENARIOS;
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The files of docs/figures, and what draws each.
fn figures() -> BTreeMap<String, Vec<&'static str>> {
    let mut figures = BTreeMap::from([
        ("states.svg".to_owned(), vec!["figure"]),
        ("states-all.svg".to_owned(), vec!["figure", "--all"]),
        ("pairs.svg".to_owned(), vec!["figure", "pairs"]),
    ]);
    for scenario in &SCENARIOS {
        figures.insert(format!("{}.svg", scenario.name), vec!["figure", "ladder", scenario.name]);
    }
    for (name, table, row) in FOUND {
        figures.insert(name.to_owned(), vec!["check", "tables", table, "--story", row]);
    }
    figures.insert("script.svg".to_owned(), vec!["figure", "ladder", "--script", SCRIPT]);
    for arguments in figures.values_mut() {
        arguments.extend(["--format", "svg"]);
    }
    for name in PLOTTED {
        figures.insert(format!("plot-{name}.svg"), vec!["figure", "plot", name]);
    }
    figures
}

/// The stories in the book that exhaustive searches found: the file, the table and the row.
const FOUND: [(&str, &str, &str); 10] = [
    ("found-vanishing-2.svg", "vanishing", "2"),
    ("found-vanishing-5.svg", "vanishing", "5"),
    ("found-vanishing-10.svg", "vanishing", "10"),
    ("found-incarnations-4.svg", "incarnations", "4"),
    ("found-incarnations-5.svg", "incarnations", "5"),
    ("found-incarnations-6.svg", "incarnations", "6"),
    ("found-waits-3.svg", "waits", "3"),
    ("found-time-wait-1.svg", "time-wait", "1"),
    ("found-time-wait-3.svg", "time-wait", "3"),
    ("found-endings-4.svg", "endings", "4"),
];

/// The stories whose plot is in the book.
const PLOTTED: [&str; 2] = ["last-ack-lost", "half-close-with-data"];

/// The script whose ladder is in the book.
const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../crates/model/scripts/a-fin-repeated-in-time-wait-is-acknowledged-again.pkt"
);

fn drawn(arguments: &[&str]) -> String {
    let Run { stdout, stderr, code } = lastack(arguments);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{arguments:?}");
    stdout
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

#[test]
fn every_figure_in_the_book_is_what_lastack_draws() {
    let folder = docs().join("figures");
    if env::var("LASTACK_FIGURES").is_ok_and(|mode| mode == "write") {
        fs::create_dir_all(&folder).expect("docs/figures");
        for (name, arguments) in figures() {
            fs::write(folder.join(name), drawn(&arguments)).expect("a figure");
        }
    }
    let mut stale = Vec::new();
    for (name, arguments) in figures() {
        let kept = fs::read_to_string(folder.join(&name)).unwrap_or_default();
        if kept != drawn(&arguments) {
            stale.push(name);
        }
    }
    let known = figures();
    let listing = fs::read_dir(&folder).expect("docs/figures");
    let names =
        listing.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
    stale.extend(names.filter(|name| !known.contains_key(name)));
    assert!(
        stale.is_empty(),
        "draw them anew (LASTACK_FIGURES=write cargo test -p lastack-lab --test figures), or remove them: {stale:?}"
    );
}

#[test]
fn every_figure_stands_in_the_book_and_every_story_has_its_ladder_there() {
    let files = fs::read_dir(docs()).expect("docs").map(|entry| entry.expect("an entry").path());
    let pages = files.filter(|file| file.extension().is_some_and(|extension| extension == "md"));
    let book: String = pages.map(|page| fs::read_to_string(page).expect("a page")).collect();
    for name in figures().into_keys() {
        assert!(book.contains(&format!("(figures/{name})")), "no page shows {name}");
    }
}

#[test]
fn the_table_of_events_in_the_book_is_that_of_the_machine() {
    let file = docs().join("transitions.md");
    let page = fs::read_to_string(&file).expect("docs/transitions.md");
    let (before, rest) = page.split_once("<!-- matrix -->\n").expect("where it begins");
    let (_, after) = rest.split_once("<!-- end of matrix -->\n").expect("where it ends");
    let table = format!("\n{}", matrix::markdown());
    let whole = format!("{before}<!-- matrix -->\n{table}<!-- end of matrix -->\n{after}");
    if env::var("LASTACK_FIGURES").is_ok_and(|mode| mode == "write") {
        fs::write(&file, &whole).expect("docs/transitions.md");
    } else {
        assert!(
            page == whole,
            "write docs/transitions.md anew (LASTACK_FIGURES=write cargo test -p lastack-lab --test figures)"
        );
    }
}

#[test]
fn one_state_of_the_matrix_is_listed_with_its_sources() {
    for name in ["time-wait", "TIME_WAIT", "Time-Wait"] {
        let list = drawn(&["figure", "matrix", name]);
        assert!(list.contains("rcv FIN: stays, snd ACK, the wait starts anew"), "{list}");
        assert!(list.contains("error: connection already exists (RFC 9293 §3.10.1)"), "{list}");
    }
}

#[test]
fn an_xml_parser_accepts_every_figure() {
    for name in figures().into_keys() {
        let file = docs().join("figures").join(name);
        let checked = run(Command::new("xmllint").args(["--noout", "--nonet"]).arg(file));
        assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), ""));
    }
}

#[test]
fn graphviz_draws_the_figure() {
    for all in [&["figure", "--format", "dot"][..], &["figure", "--all", "--format", "dot"]] {
        let scratch = Scratch::new();
        let file = scratch.file("figure.dot");
        drawn(&[all, &["--output", &file]].concat());
        let made = run(Command::new("dot").args(["-Tsvg", &file]));
        assert_eq!((made.code, made.stderr.as_str()), (Some(0), ""));
        assert!(made.stdout.contains("TIME_WAIT"));
    }
}

#[test]
fn live_counts_are_those_of_the_namespace_and_need_no_rights() {
    let _namespace = Namespace::enter();
    let request = Request {
        transport: Transport::Tcp,
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        port: Port(8080),
        options: Options { reuse_address: true, ..Options::default() },
        uid: Uid(0),
        may_bind_reserved: true,
    };
    let listener = states::listening(&request);
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
    let _open = states::established(&listener, to);
    states::time_wait(states::established(&listener, to));
    let Run { stdout, stderr, code } =
        lastack_as(User::Nobody, &["figure", "--live", "--format", "mermaid"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    for (state, count) in [("LISTEN", 1), ("ESTABLISHED", 2), ("TIME_WAIT", 1), ("CLOSING", 0)] {
        assert!(stdout.contains(&format!("note right of {state}: {count}\n")), "{stdout}");
    }
    let text = drawn(&["figure", "--live"]);
    assert!(text.contains("──── 2 ────"), "{text}");
}

#[test]
fn a_file_is_not_overwritten_unless_that_is_asked_for() {
    let scratch = Scratch::new();
    let file = scratch.file("figure.svg");
    fs::write(&file, "precious").expect("a file");
    let refused = lastack(&["figure", "--format", "svg", "--output", &file]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""));
    assert!(
        refused.stderr.contains(&file) && refused.stderr.contains("--force"),
        "{}",
        refused.stderr
    );
    assert_eq!(fs::read_to_string(&file).expect("a file"), "precious");
    assert_eq!(drawn(&["figure", "--format", "svg", "--output", &file, "--force"]), "");
    assert!(fs::read_to_string(&file).expect("a file").starts_with("<svg "));
}

#[test]
fn text_in_a_file_has_no_colour_even_if_colour_is_wanted() {
    let scratch = Scratch::new();
    let file = scratch.file("ladder.txt");
    drawn(&["figure", "ladder", "fin-lost", "--color", "always", "--output", &file]);
    let text = fs::read_to_string(&file).expect("a file");
    assert!(text.contains("FIN_WAIT_1") && !text.contains('\x1b'), "{text}");
    assert!(drawn(&["figure", "ladder", "fin-lost", "--color", "always"]).contains('\x1b'));
    assert!(!drawn(&["figure", "ladder", "fin-lost"]).contains('\x1b'));
}

#[test]
fn what_cannot_be_drawn_is_refused_with_what_can() {
    for (arguments, said) in [
        (&["figure", "ladder", "both-clsoe"][..], "both-close-at-once"),
        (&["figure", "plot", "nothing"], "last-ack-lost"),
        (&["figure", "ladder", "--script", "/nowhere.pkt"], "/nowhere.pkt"),
        (&["figure", "ladder", "--script", "/proc/version"], "line 1, column 1"),
        (&["figure", "matrix", "--format", "dot"], "text, json"),
        (&["figure", "ladder", "fin-lost", "--format", "dot"], "text, svg, mermaid"),
        (&["figure", "pairs", "--format", "mermaid"], "text, svg"),
        (&["figure", "--output", "/nowhere/at/all.svg"], "/nowhere/at/all.svg"),
        (&["figure", "--live", "--netns", "no-such-namespace"], "no-such-namespace"),
    ] {
        let Run { stdout, stderr, code } = lastack(arguments);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{arguments:?}: {stderr}");
        assert!(stderr.starts_with("lastack: ") && stderr.lines().count() == 1, "{stderr}");
        assert!(stderr.contains(said), "{stderr}");
    }
    assert_eq!(lastack(&["figure", "ladder"]).code, Some(2));
    assert_eq!(lastack(&["figure", "ladder", "fin-lost", "--against", "linux"]).code, Some(2));
    let unknown = lastack(&["figure", "matrix", "fin-wait-3"]);
    assert!(unknown.code == Some(2) && unknown.stderr.contains("fin-wait-2"), "{}", unknown.stderr);
    assert_eq!(lastack(&["figure", "--netns", "x"]).code, Some(2), "only with --live");
}

#[test]
fn a_terminal_that_is_too_narrow_gets_a_list() {
    for arguments in ["figure", "figure pairs", "figure matrix", "figure ladder both-close-at-once"]
    {
        let narrow = on_terminal(50, arguments);
        assert!(narrow.lines().all(|line| line.chars().count() <= 50), "{narrow}");
        assert!(!narrow.contains(['│', '┌']) && narrow.contains("FIN_WAIT_1"), "{narrow}");
    }
    let wide = on_terminal(120, "figure");
    assert!(wide.contains("┌───") && wide.contains('\x1b'), "colour where a terminal reads it");
}

/// A directory of the test's own, removed with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("lastack-figures-{}-{number}", std::process::id());
        let directory = env::temp_dir().join(name);
        fs::create_dir(&directory).expect("a directory");
        Self(directory)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a path in UTF-8").to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
