//! Every transcript in README.md and the book is what lastack prints: each is played again in a sandbox of its own.
//!
//! A transcript is a fenced block marked `console` after a comment that names its scenario. Times and the kernel's
//! version are masked on both sides; `[..]` and a line `...` stand for what else varies. With
//! `LASTACK_TRANSCRIPTS=write` the pages are brought up to date instead, save blocks that use those two.

#[path = "transcripts/mask.rs"]
mod mask;
#[path = "transcripts/page.rs"]
mod page;
#[path = "transcripts/scenario.rs"]
mod scenario;

use page::{Page, Transcript};
use std::env;
use std::path::{Path, PathBuf};

#[test]
fn every_transcript_in_the_readme_and_the_book_is_what_lastack_prints() {
    lastack_lab::privilege::require_root();
    let pages: Vec<Page> = page_files().into_iter().map(Page::read).collect();
    let count: usize = pages.iter().map(|page| page.transcripts.len()).sum();
    assert!(count > 0, "neither README.md nor docs/ holds a transcript");
    let mut wrong = Vec::new();
    for page in pages {
        let (kept, faults) = play(&page);
        wrong.extend(faults);
        if env::var("LASTACK_TRANSCRIPTS").is_ok_and(|mode| mode == "write") {
            page.write(&kept);
        }
    }
    assert!(wrong.is_empty(), "{} of {count} transcripts:\n{}", wrong.len(), wrong.join("\n"));
}

/// Plays the transcripts of a page: what each block should hold, and what is wrong with it now.
fn play(page: &Page) -> (Vec<String>, Vec<String>) {
    let (mut kept, mut faults) = (Vec::new(), Vec::new());
    for transcript in &page.transcripts {
        let place = format!("{}:{}", page.file.display(), transcript.line);
        let fault = match replay(transcript) {
            Ok(printed) => {
                let fault = differs(&place, &printed, &transcript.text).err();
                let is_pattern = transcript.text.contains("[..]")
                    || transcript.text.lines().any(|line| line == "...");
                let stays = fault.is_none() || is_pattern;
                kept.push(if stays { transcript.text.clone() } else { printed });
                fault
            }
            Err(fault) => {
                kept.push(transcript.text.clone());
                Some(fault)
            }
        };
        faults.extend(fault.map(|fault| format!("{place}: {fault}")));
    }
    (kept, faults)
}

fn replay(transcript: &Transcript) -> Result<String, String> {
    let name = transcript.scenario.as_deref();
    let name = name.ok_or("names no scenario (write <!-- scenario: NAME --> before it)")?;
    let commands: Vec<&str> =
        transcript.text.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
    if !commands.first().is_some_and(|first| first.starts_with("lastack")) {
        return Err("the first line of a transcript is `$ lastack ...`".into());
    }
    scenario::play(name, &commands)
}

fn differs(place: &str, printed: &str, expected: &str) -> Result<(), String> {
    let name: &dyn std::fmt::Display = &place;
    snapbox::Assert::new()
        .try_eq(Some(name), mask::masked(printed).into(), mask::masked(expected).into())
        .map_err(|error| format!("not what lastack prints\n{error}"))
}

fn page_files() -> Vec<PathBuf> {
    let root = workspace();
    let docs = root.join("docs");
    let listing = std::fs::read_dir(&docs)
        .unwrap_or_else(|error| panic!("failed to list {}: {error}", docs.display()));
    let mut files: Vec<PathBuf> = listing
        .map(|entry| entry.expect("an entry of docs/").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .collect();
    files.push(root.join("README.md"));
    files.sort();
    files
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace above lab/")
}

#[test]
fn a_block_without_a_known_scenario_is_a_fault() {
    let block = |comment: &str| {
        let text = format!("{comment}\n```console\n$ lastack why 8080\nfree\n```\n");
        let page = Page::parse(PathBuf::from("page.md"), text);
        play(&page).1.join("\n")
    };
    assert!(block("").contains("names no scenario"));
    assert!(
        block("<!-- scenario: unheard-of -->").contains("no scenario is called \"unheard-of\"")
    );
}

#[test]
fn a_block_that_lastack_does_not_print_is_a_fault() {
    let masked = |text: &str| differs("page.md:1", "until  59 s (until 12:00:01)\nend\n", text);
    assert!(masked("until  1 min 3 s (until 23:00:01)\nend\n").is_ok());
    assert!(masked("until  [..]\n...\n").is_ok());
    assert!(masked("until  1 min 3 s (until 23:00:01)\nan end\n").is_err());
}
