//! A page of text: headings, wrapped paragraphs and lists, no wider than the terminal.

use crate::error::Error;
use anstyle::{AnsiColor, Style};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use textwrap::WordSplitter;

/// Text that grows line by line.
#[derive(Debug)]
pub struct Page {
    text: String,
    width: usize,
}

/// The tone of a line.
#[derive(Clone, Copy, Debug)]
pub enum Tone {
    /// Good news.
    Good,
    /// Bad news.
    Bad,
    /// Neither, or both.
    Mixed,
}

impl Page {
    /// An empty page as wide as the terminal, 80 columns where there is none.
    pub fn of_terminal() -> Self {
        Self { text: String::new(), width: width() }
    }

    /// The verdict.
    pub fn verdict(&mut self, tone: Tone, text: &str) {
        let color = match tone {
            Tone::Good => AnsiColor::Green,
            Tone::Bad => AnsiColor::Red,
            Tone::Mixed => AnsiColor::Yellow,
        };
        let style = Style::new().bold().fg_color(Some(color.into()));
        for line in textwrap::wrap(text, self.width) {
            let _ = writeln!(self.text, "{style}{line}{style:#}");
        }
    }

    /// A heading, after an empty line.
    pub fn heading(&mut self, text: &str) {
        let style = Style::new().bold();
        let _ = writeln!(self.text, "\n{style}{text}{style:#}");
    }

    /// A paragraph, indented.
    pub fn line(&mut self, indent: usize, text: &str) {
        self.item(indent, "", text);
    }

    /// A paragraph behind a mark, its further lines aligned to its first.
    pub fn item(&mut self, indent: usize, mark: &str, text: &str) {
        let first = format!("{:indent$}{mark}", "");
        let rest = " ".repeat(first.chars().count());
        let options = textwrap::Options::new(self.width.max(first.len() + 20))
            .initial_indent(&first)
            .subsequent_indent(&rest)
            .word_splitter(WordSplitter::Custom(breaks))
            .break_words(false);
        for line in textwrap::wrap(text, options) {
            self.text.push_str(line.trim_end());
            self.text.push('\n');
        }
    }

    /// A command to type: never wrapped, so that it can be copied whole.
    pub fn command(&mut self, indent: usize, text: &str) {
        let _ = writeln!(self.text, "{:indent$}{text}", "");
    }

    /// A drawing, as it is.
    pub fn drawing(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Writes the page out. A reader that went away is not an error.
    pub fn print(self) -> Result<(), Error> {
        print(&self.text)
    }
}

/// Writes text to standard output, without colour where no terminal reads it.
pub fn print(text: &str) -> Result<(), Error> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::new(format!("failed to write the answer: {cause}")))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Where a word may be broken: after a hyphen, but never in an option, which is typed as one word.
fn breaks(word: &str) -> Vec<usize> {
    if word.contains("--") { Vec::new() } else { WordSplitter::HyphenSplitter.split_points(word) }
}

/// How wide the terminal is, within reason; 80 columns where there is none.
pub fn width() -> usize {
    let terminal = rustix::termios::tcgetwinsize(io::stdout()).ok();
    let columns = terminal.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
    columns.unwrap_or(80).clamp(40, 100)
}
