//! `lastack check cells`: the model `linux` and the kernel that runs, in every cell.

use lastack_lab::paper::assert_clean;
use lastack_lab::privilege::require_root;
use lastack_lab::program::{self, Run, User};
use lastack_model::script::cells as script_cells;
use lastack_model::script::replay::{Dialect, Verdict, judge};
use std::path::Path;
use std::{env, fs};

fn cells(arguments: &[&str]) -> Run {
    program::lastack(&[&["check", "cells"], arguments].concat())
}

#[test]
fn the_kernel_does_in_every_cell_what_the_model_does() {
    require_root();
    let run = cells(&[]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:#?}");
    let first = "2240 cells, this machine's kernel against linux: 2240 agree.";
    assert!(run.stdout.starts_with(first), "{}", run.stdout);
    assert_clean(&run.stdout);
    // What the model alone prints is the same table.
    let table = |run: &Run| run.stdout.lines().skip(1).collect::<Vec<_>>().join("\n");
    assert_eq!(table(&run), table(&cells(&["--model-only"])));
}

#[test]
fn where_the_kernel_departs_from_the_rfc_every_cell_says_by_which_switch() {
    require_root();
    let run = cells(&["--against", "rfc9293"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:#?}");
    assert!(run.stdout.contains("closing-ends-silently (as in closing/"), "{}", run.stdout);
}

#[test]
fn a_cells_script_is_one_that_the_kernel_passes() {
    require_root();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    for cell in ["closing/fin+ack=all/prev", "syn-sent/syn/anywhere", "fin-wait-2-orphan/syn/next"]
    {
        let script = cells(&["--script", cell]);
        assert_eq!((script.code, script.stderr.as_str()), (Some(0), ""), "{script:#?}");
        let file = folder.join(format!("{}.pkt", cell.replace('/', "-")));
        fs::write(&file, &script.stdout).expect("a file in the target directory");
        let file = file.to_str().expect("a path in UTF-8");
        for against in ["kernel", "linux"] {
            let run = program::lastack(&["check", "replay", "--against", against, file]);
            assert_eq!(run.code, Some(0), "{cell}: {run:#?}\n{}", script.stdout);
        }
    }
}

#[test]
fn without_privilege_the_table_is_the_models_alone() {
    require_root();
    let ask = |arguments: &[&str]| {
        program::lastack_as(User::Nobody, &[&["check", "cells"], arguments].concat())
    };
    let refused = ask(&["--state", "closing"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{refused:#?}");
    assert!(refused.stderr.contains("run as root"), "{refused:#?}");
    let table = ask(&["--state", "closing", "--model-only"]);
    assert_eq!((table.code, table.stderr.as_str()), (Some(0), ""), "{table:#?}");
    assert!(table.stdout.starts_with("196 cells, as the model linux does them."), "{table:#?}");
}

#[test]
fn the_table_in_the_book_is_that_of_the_model() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cells.md");
    let page = fs::read_to_string(&file).expect("docs/cells.md");
    let (before, rest) = page.split_once("<!-- cells -->\n").expect("where it begins");
    let (_, after) = rest.split_once("<!-- end of cells -->\n").expect("where it ends");
    let run = cells(&["--model-only"]);
    let (_, table) = run.stdout.split_once("\n\n").expect("a headline and a table");
    let table = format!("\n```\n{table}```\n\n");
    let whole = format!("{before}<!-- cells -->\n{table}<!-- end of cells -->\n{after}");
    if env::var("LASTACK_FIGURES").is_ok_and(|mode| mode == "write") {
        fs::write(&file, &whole).expect("docs/cells.md");
    } else {
        let how = "LASTACK_FIGURES=write cargo test -p lastack-lab --test cells";
        assert!(page == whole, "write docs/cells.md anew ({how})");
    }
}

#[test]
fn what_is_no_cell_is_one_clear_error() {
    let run = cells(&["--script", "closing/fin"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:#?}");
    assert!(run.stderr.starts_with("lastack: there is no cell 'closing/fin'"), "{run:#?}");
    let run = cells(&["--state", "closed", "--new", "--model-only"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:#?}");
}

#[test]
fn every_script_passes_under_the_profile_that_it_was_made_for() {
    for dialect in [Dialect::LINUX, Dialect::RFC_9293, Dialect::FREE_BSD] {
        for cell in script_cells::all() {
            let text = cell.script(&dialect).expect("a script");
            let verdict = judge(&text, &dialect);
            assert_eq!(verdict, Ok(Verdict::Pass), "{cell} ({}):\n{text}", dialect.profile.name);
        }
    }
}
