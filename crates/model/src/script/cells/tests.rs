use super::*;
use crate::script::replay::judge;
use std::collections::BTreeSet;

const DIALECTS: [Dialect; 3] = [Dialect::LINUX, Dialect::RFC_9293, Dialect::FREE_BSD];

#[test]
fn every_cell_has_a_name_of_its_own() {
    let names: BTreeSet<String> = all().map(|cell| cell.to_string()).collect();
    assert_eq!(names.len(), all().count());
    assert_eq!(all().count(), 3 * 28 + 11 * 28 * 7);
    // A name is looked for among all: a sample is enough, as no two are the same.
    assert!(all().step_by(31).all(|cell| named(&cell.to_string()) == Some(cell)));
}

#[test]
fn every_way_leads_to_its_state() {
    for dialect in &DIALECTS {
        for row in Row::ALL {
            let way = write::way(row, dialect).expect("a way");
            let script = write::read(&way).expect("a script");
            let observed = observe(&script, dialect).expect("its end");
            assert_eq!(
                observed.state,
                row.state(),
                "{} under {}",
                row.name(),
                dialect.profile.name
            );
            assert_eq!(observed.sent, [], "{} under {}", row.name(), dialect.profile.name);
        }
    }
}

// A sample; all of them are judged in `lab/tests/cells.rs`.
#[test]
fn a_script_passes_under_the_profile_that_it_was_made_for() {
    for dialect in &DIALECTS {
        for cell in all().step_by(17) {
            let text = cell.script(dialect).expect("a script");
            let verdict = judge(&text, dialect);
            assert_eq!(
                verdict,
                Ok(Verdict::Pass),
                "{cell} under {}:\n{text}",
                dialect.profile.name
            );
        }
    }
}
