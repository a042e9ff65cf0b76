//! What was seen against what a profile does: the switches that explain where they part.

use super::{Cell, predict};
use crate::script::replay::{Dialect, Observed};
use crate::tcp::profile::Profile;
use crate::tcp::switch::SWITCHES;

/// Where what was seen differs from a profile, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Agreement {
    /// It does not differ.
    Same,
    /// A system that differs in these switches and in nothing else would do that.
    Named(Vec<&'static str>),
    /// No one or two switches explain it.
    Unexplained,
}

/// Holds what was seen in each cell against what a profile predicts.
pub fn compare(
    cells: &[Cell],
    predicted: &[Observed],
    seen: &[Observed],
    dialect: &Dialect,
) -> Vec<Agreement> {
    let same = |(one, other)| if one == other { Agreement::Same } else { Agreement::Unexplained };
    let mut all: Vec<Agreement> = predicted.iter().zip(seen).map(same).collect();
    let mut name = |names: &[&'static str], profile: Profile| {
        let open: Vec<usize> =
            (0..cells.len()).filter(|at| all.get(*at) == Some(&Agreement::Unexplained)).collect();
        let asked: Vec<Cell> = open.iter().map(|at| cells[*at]).collect();
        // Where a turned profile does not get to the state, it explains nothing.
        let Ok(turned) = predict(&asked, &dialect.with(profile)) else { return };
        for (at, prediction) in open.into_iter().zip(turned) {
            if seen.get(at) == Some(&prediction.observed) {
                all[at] = Agreement::Named(names.to_vec());
            }
        }
    };
    for switch in &SWITCHES {
        name(&[switch.name], (switch.turned)(dialect.profile));
    }
    for (at, first) in SWITCHES.iter().enumerate() {
        for second in &SWITCHES[at + 1..] {
            let both = (second.turned)((first.turned)(dialect.profile));
            name(&[first.name, second.name], both);
        }
    }
    all
}
