//! The text of a sysctl configuration file (`sysctl.d(5)`): read, merged with new lines, and taken apart again.
//!
//! Whatever stands in the file stays as it is, comments and order included, save the line of a name that is set.

/// A configuration file.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Conf {
    lines: Vec<String>,
}

impl Conf {
    /// Reads a file's text.
    pub fn parse(text: &str) -> Self {
        Self { lines: text.lines().map(str::to_owned).collect() }
    }

    /// The value that the file sets, the last one if it is set several times.
    pub fn value(&self, full_name: &str) -> Option<&str> {
        self.lines.iter().rev().find_map(|line| assigned(line, full_name))
    }

    /// Sets a value: in place of the last line that sets it, else at the end.
    pub fn set(&mut self, full_name: &str, value: &str) {
        let line = format!("{full_name} = {value}");
        let place = self.lines.iter().rposition(|line| assigned(line, full_name).is_some());
        if let Some(at) = place {
            self.lines[at] = line;
            return;
        }
        if self.lines.is_empty() {
            self.lines.push(MARK.to_owned());
        }
        self.lines.push(line);
    }

    /// Takes out every line that sets the value.
    pub fn remove(&mut self, full_name: &str) {
        self.lines.retain(|line| assigned(line, full_name).is_none());
    }

    /// True when nothing is in it but our mark and empty lines.
    pub fn is_spent(&self) -> bool {
        self.lines.iter().all(|line| line.trim().is_empty() || line == MARK)
    }

    /// The text.
    pub fn text(&self) -> String {
        self.lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }
}

/// The value, if the line sets this name. A leading `-` says that a failure does not matter; `/` may stand for `.`.
fn assigned<'a>(line: &'a str, full_name: &str) -> Option<&'a str> {
    let line = line.trim();
    if line.starts_with(['#', ';']) {
        return None;
    }
    let (name, value) = line.split_once('=')?;
    let name = name.trim().trim_start_matches('-').replace('/', ".");
    (name == full_name).then(|| value.trim())
}

/// The first line of a file that lastack made.
pub const MARK: &str =
    "# Written by `lastack tune --persist`; `lastack tune --undo` takes its lines out again.";
