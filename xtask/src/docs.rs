//! `cargo xtask docs`: man pages and shell completions, written from the same definition as `--help`.
//!
//! They go to target/man and target/completions; the packages take them from there.

use crate::step::Failure;
use crate::workspace::Workspace;
use clap::Command;
use clap_complete::Shell;
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

const SHELLS: &[Shell] = &[Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish, Shell::PowerShell];

/// A file to write.
struct Page {
    name: String,
    content: Vec<u8>,
}

pub(crate) fn run() -> Result<(), Failure> {
    let target = Workspace::read()?.target;
    let manual = manual(lastack::command())?;
    let completions: Vec<Page> =
        SHELLS.iter().map(|shell| completion(*shell, lastack::command())).collect();
    write(&target.join("man"), &manual)?;
    write(&target.join("completions"), &completions)
}

/// One page for the program and one for each verb, named as `man lastack-why` finds them.
fn manual(command: Command) -> Result<Vec<Page>, Failure> {
    // `build` passes global options down and names the verbs' pages `lastack-VERB`.
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    std::iter::once(&command).chain(verbs).cloned().map(man_page).collect()
}

fn man_page(command: Command) -> Result<Page, Failure> {
    let man = clap_mangen::Man::new(command);
    let name = man.get_filename();
    let mut content = Vec::new();
    man.render(&mut content).map_err(|cause| failed("render", &name, &cause))?;
    Ok(Page { name, content })
}

fn completion(shell: Shell, mut command: Command) -> Page {
    use clap_complete::Generator as _;
    let program = command.get_name().to_owned();
    let mut content = Vec::new();
    clap_complete::generate(shell, &mut command, &program, &mut content);
    Page { name: shell.file_name(&program), content }
}

/// Replaces the folder, so that no page of a verb that is gone stays behind.
fn write(folder: &Path, pages: &[Page]) -> Result<(), Failure> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|cause| failed("empty", folder.display(), &cause))?;
    }
    fs::create_dir_all(folder).map_err(|cause| failed("create", folder.display(), &cause))?;
    for page in pages {
        let path: PathBuf = folder.join(&page.name);
        fs::write(&path, &page.content).map_err(|cause| failed("write", path.display(), &cause))?;
    }
    eprintln!("xtask: wrote {} files to {}", pages.len(), folder.display());
    Ok(())
}

fn failed(operation: &str, object: impl Display, cause: &std::io::Error) -> Failure {
    Failure::new(format!("failed to {operation} {object}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(page: &Page) -> String {
        String::from_utf8(page.content.clone()).unwrap()
    }

    #[test]
    fn every_verb_has_a_page_of_its_own() {
        let pages = manual(lastack::command()).unwrap();
        let names: Vec<_> = pages.iter().map(|page| page.name.as_str()).collect();
        assert_eq!(names[0], "lastack.1");
        assert!(names.contains(&"lastack-why.1"), "{names:?}");
        let why = text(&pages[names.iter().position(|name| *name == "lastack-why.1").unwrap()]);
        assert!(why.contains(r"\-\-reuse\-address"), "{why}");
    }

    #[test]
    fn every_shell_completes_the_verbs() {
        for shell in SHELLS {
            let page = completion(*shell, lastack::command());
            assert!(text(&page).contains("reuse-address"), "{}", page.name);
        }
    }
}
