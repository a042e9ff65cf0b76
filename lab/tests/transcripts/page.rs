//! The transcripts of one Markdown page, where they stand, and the page written with others in their place.

use std::fs;
use std::path::PathBuf;

/// A page and its transcripts, in order.
pub(crate) struct Page {
    pub(crate) file: PathBuf,
    pub(crate) transcripts: Vec<Transcript>,
    text: String,
}

/// One fenced block marked `console`.
pub(crate) struct Transcript {
    /// The line of the opening fence, from 1.
    pub(crate) line: usize,
    /// The scenario named in the comment before it.
    pub(crate) scenario: Option<String>,
    /// What stands in the block.
    pub(crate) text: String,
}

impl Page {
    pub(crate) fn read(file: PathBuf) -> Self {
        let text = fs::read_to_string(&file)
            .unwrap_or_else(|error| panic!("failed to read {}: {error}", file.display()));
        Self::parse(file, text)
    }

    pub(crate) fn parse(file: PathBuf, text: String) -> Self {
        let mut transcripts = Vec::new();
        let mut open: Option<Transcript> = None;
        let mut scenario = None;
        for (index, line) in text.lines().enumerate() {
            match open.take() {
                Some(transcript) if line == FENCE => transcripts.push(transcript),
                Some(mut transcript) => {
                    transcript.text.push_str(line);
                    transcript.text.push('\n');
                    open = Some(transcript);
                }
                None if line == OPENING => {
                    let text = String::new();
                    open = Some(Transcript { line: index + 1, scenario: scenario.take(), text });
                }
                None if line.is_empty() => {}
                None => scenario = named(line),
            }
        }
        assert!(open.is_none(), "{}: the last transcript is not closed", file.display());
        Self { file, transcripts, text }
    }

    /// Writes the page with these texts in its blocks.
    pub(crate) fn write(&self, texts: &[String]) {
        let mut out = String::new();
        let mut texts = texts.iter();
        let mut inside = false;
        for line in self.text.lines() {
            if line == OPENING {
                inside = true;
                out.push_str(line);
                out.push('\n');
                out.extend(texts.next().map(String::as_str));
                continue;
            }
            inside &= line != FENCE;
            if !inside {
                out.push_str(line);
                out.push('\n');
            }
        }
        fs::write(&self.file, out)
            .unwrap_or_else(|error| panic!("failed to write {}: {error}", self.file.display()));
    }
}

fn named(line: &str) -> Option<String> {
    let name = line.strip_prefix("<!-- scenario: ")?.strip_suffix(" -->")?;
    Some(name.to_owned())
}

const OPENING: &str = "```console";
const FENCE: &str = "```";
