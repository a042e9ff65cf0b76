//! What can be typed after `check stories`.

use clap::{Args, ColorChoice};

/// The arguments of `check stories`.
#[derive(Args, Clone, Debug)]
pub struct StoriesArgs {
    /// Only these (see `lastack figure ladder --list`).
    #[arg(value_name = "STORY")]
    pub stories: Vec<String>,
    /// Leave out those that wait for the end of a TIME_WAIT, which takes a minute.
    #[arg(long)]
    pub quick: bool,
    /// Draw what the kernel did as a ladder.
    #[arg(long, conflicts_with = "json")]
    pub ladder: bool,
    /// One JSON object a line, one line a story.
    #[arg(long)]
    pub json: bool,
    /// When to use colour.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
}

pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0  the kernel does what the model does, in every story that a kernel can play
  1  the kernel does something else
  2  the kernel cannot be asked, or there is no such story
  3  a story that was named cannot be played on a kernel";
