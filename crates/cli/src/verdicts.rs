//! Tables of scripts and what is expected of each: tab-separated, a row for each script, a column for each system. They
//! hold names and verdicts, and nothing of the scripts themselves.

use crate::error::Error;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// A table.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Table {
    /// Lines about it, each beginning with `#`.
    notes: Vec<String>,
    systems: Vec<String>,
    /// By script, then by system.
    rows: BTreeMap<String, BTreeMap<String, String>>,
}

/// Where a run and a table part.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Difference {
    /// The script.
    pub name: String,
    /// What the table says; nothing where it does not know the script.
    pub expected: Option<String>,
    /// What came of it; nothing where there is no such script.
    pub got: Option<String>,
}

impl Table {
    /// Reads one.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let failed = |cause: &dyn std::fmt::Display| {
            Error::new(format!("failed to read the table {}: {cause}", path.display()))
        };
        let text = fs::read_to_string(path).map_err(|cause| failed(&cause))?;
        Self::parse(&text).map_err(|cause| failed(&cause))
    }

    /// The one in a file; an empty one where there is none yet.
    pub fn read_or_new(path: &Path) -> Result<Self, Error> {
        match fs::metadata(path) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(Self::default()),
            _ => Self::read(path),
        }
    }

    /// Writes it.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        fs::write(path, self.to_text()).map_err(|cause| {
            Error::new(format!("failed to write the table {}: {cause}", path.display()))
        })
    }

    /// True when something is expected of this system.
    pub fn knows(&self, system: &str) -> bool {
        self.systems.iter().any(|known| known == system)
    }

    /// What is expected of a script.
    pub fn expected(&self, name: &str, system: &str) -> Option<&str> {
        self.rows.get(name)?.get(system).map(String::as_str)
    }

    /// Takes over what came of all scripts of a suite.
    pub fn record(&mut self, system: &str, verdicts: impl IntoIterator<Item = (String, String)>) {
        if !self.knows(system) {
            self.systems.push(system.to_owned());
            self.systems.sort_unstable();
        }
        for row in self.rows.values_mut() {
            row.remove(system);
        }
        for (name, verdict) in verdicts {
            self.rows.entry(name).or_default().insert(system.to_owned(), verdict);
        }
        self.rows.retain(|_, row| !row.is_empty());
    }

    /// Where the verdicts are others than expected. Scripts that were not played count only for a whole suite.
    pub fn differences(
        &self,
        system: &str,
        verdicts: &[(String, String)],
        extent: Extent,
    ) -> Vec<Difference> {
        let mut differences: Vec<Difference> = verdicts
            .iter()
            .filter(|(name, got)| self.expected(name, system) != Some(got))
            .map(|(name, got)| Difference {
                name: name.clone(),
                expected: self.expected(name, system).map(str::to_owned),
                got: Some(got.clone()),
            })
            .collect();
        if extent == Extent::Whole {
            let played: BTreeSet<&str> = verdicts.iter().map(|(name, _)| name.as_str()).collect();
            let missing = self.rows.keys().filter(|name| !played.contains(name.as_str()));
            differences.extend(missing.filter_map(|name| {
                let expected = Some(self.expected(name, system)?.to_owned());
                Some(Difference { name: name.clone(), expected, got: None })
            }));
        }
        differences
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut table = Self::default();
        let mut has_head = false;
        for (at, line) in text.lines().enumerate() {
            if line.starts_with('#') {
                table.notes.push(line.to_owned());
                continue;
            }
            let mut fields = line.split('\t');
            let first = fields.next().unwrap_or_default();
            if !has_head {
                table.systems = fields.map(str::to_owned).collect();
                has_head = true;
                if first != "script" || table.systems.is_empty() {
                    return Err(format!("line {}: the head 'script\\tSYSTEM…' is missing", at + 1));
                }
                continue;
            }
            let verdicts: Vec<&str> = fields.collect();
            if verdicts.len() != table.systems.len() {
                let (got, wanted) = (verdicts.len(), table.systems.len());
                return Err(format!("line {}: {got} verdicts for {wanted} systems", at + 1));
            }
            let known = table.systems.iter().cloned().zip(verdicts).filter(|(_, v)| *v != NONE);
            let row = known.map(|(system, verdict)| (system, verdict.to_owned())).collect();
            if table.rows.insert(first.to_owned(), row).is_some() {
                return Err(format!("line {}: {first} stands here a second time", at + 1));
            }
        }
        if has_head { Ok(table) } else { Err("it is empty".to_owned()) }
    }

    fn to_text(&self) -> String {
        let mut lines = self.notes.clone();
        lines.push(format!("script\t{}", self.systems.join("\t")));
        for (name, row) in &self.rows {
            let verdict = |system: &String| row.get(system).map_or(NONE, String::as_str);
            let verdicts: Vec<&str> = self.systems.iter().map(verdict).collect();
            lines.push(format!("{name}\t{}", verdicts.join("\t")));
        }
        lines.join("\n") + "\n"
    }
}

/// How much of a suite was played.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Extent {
    /// All of it.
    Whole,
    /// Single scripts.
    Part,
}

/// Where nothing is expected.
const NONE: &str = "-";

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "# A suite.\nscript\tfreebsd\tlinux\na.pkt\tpass\tdiffers:x+y\nb.pkt\t-\tskipped\n";

    fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
        all.iter().map(|(name, verdict)| ((*name).to_owned(), (*verdict).to_owned())).collect()
    }

    #[test]
    fn a_table_is_written_as_it_was_read() {
        assert_eq!(Table::parse(TEXT).expect("a table").to_text(), TEXT);
    }

    #[test]
    fn a_run_takes_the_place_of_the_system_s_last_one_and_of_no_other() {
        let mut table = Table::parse(TEXT).expect("a table");
        table.record("linux", pairs(&[("c.pkt", "pass"), ("a.pkt", "pass")]));
        let text = "# A suite.\nscript\tfreebsd\tlinux\na.pkt\tpass\tpass\nc.pkt\t-\tpass\n";
        assert_eq!(table.to_text(), text);
        table.record("rfc9293", pairs(&[("a.pkt", "fail")]));
        assert!(table.to_text().contains("a.pkt\tpass\tpass\tfail\n"), "{}", table.to_text());
    }

    #[test]
    fn what_differs_is_unknown_or_gone_is_listed() {
        let table = Table::parse(TEXT).expect("a table");
        let run = pairs(&[("a.pkt", "pass"), ("new.pkt", "fail")]);
        let told = |extent| {
            let all = table.differences("linux", &run, extent);
            all.into_iter().map(|one| (one.name, one.expected, one.got)).collect::<Vec<_>>()
        };
        let text = |text: &str| Some(text.to_owned());
        let mut expected = vec![
            ("a.pkt".to_owned(), text("differs:x+y"), text("pass")),
            ("new.pkt".to_owned(), None, text("fail")),
        ];
        assert_eq!(told(Extent::Part), expected);
        expected.push(("b.pkt".to_owned(), text("skipped"), None));
        assert_eq!(told(Extent::Whole), expected);
    }

    #[test]
    fn a_line_that_is_no_row_is_named() {
        for (text, said) in [
            ("", "it is empty"),
            ("a.pkt\tpass\n", "line 1: the head"),
            ("# x\nscript\tlinux\na.pkt\n", "line 3: 0 verdicts for 1 systems"),
            ("script\tlinux\na\tpass\na\tpass\n", "line 3: a stands here a second time"),
        ] {
            let error = Table::parse(text).expect_err(text);
            assert!(error.contains(said), "{error}");
        }
    }
}
