//! The figures of a race as text: one line a command, the ratio to the one it is measured against, the goal beside it.

use super::race::{Run, Runs};
use std::fmt::Write as _;

/// A goal: at most this many times the processor time of the command that is compared with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Goal(pub(super) f64);

/// One line.
pub(super) struct Line<'a> {
    pub(super) name: &'a str,
    pub(super) runs: &'a Runs,
    pub(super) goal: Option<Goal>,
}

/// The most resident memory that lastack may need, in KiB.
pub(super) const PEAK_GOAL_KIB: u64 = 30 * 1024;

/// The lines under a heading; the first is what the others are compared with.
pub(super) fn table(heading: &str, lines: &[Line<'_>]) -> String {
    let mut text = format!("\n{heading}\n\n");
    let base = lines.first().and_then(|line| line.runs.median());
    let [cpu, wall, peak, ratio] = ["CPU ms", "wall ms", "peak MB", "ratio"];
    let [runs, exit] = ["runs", "exit"];
    let _ = writeln!(
        text,
        "{:<44}{cpu:>8}{wall:>9}{peak:>9}{ratio:>7}{runs:>6}{exit:>7}  goal",
        "command"
    );
    for line in lines {
        match line.runs.median() {
            Some(run) => push(&mut text, line, run, base),
            None => {
                let _ = writeln!(text, "{:<44}  no time was left for it", line.name);
            }
        }
    }
    text
}

fn push(text: &mut String, line: &Line<'_>, run: Run, base: Option<Run>) {
    let ratio = base.map_or(f64::NAN, |base| run.cpu.as_secs_f64() / base.cpu.as_secs_f64());
    let _ = writeln!(
        text,
        "{:<44}{:>8.1}{:>9.1}{:>9.1}{ratio:>7.2}{:>6}{:>7}{}",
        line.name,
        run.cpu.as_secs_f64() * 1000.0,
        run.wall.as_secs_f64() * 1000.0,
        mebibytes(run.peak_kib),
        line.runs.count(),
        line.runs.exit(),
        line.goal.map_or_else(String::new, |goal| verdict(goal, ratio, run.peak_kib)),
    );
}

fn verdict(goal: Goal, ratio: f64, peak_kib: u64) -> String {
    let word = |met| if met { "met" } else { "missed" };
    format!(
        "  <= {}x {}, < {:.0} MB {}",
        goal.0,
        word(ratio <= goal.0),
        mebibytes(PEAK_GOAL_KIB),
        word(peak_kib < PEAK_GOAL_KIB),
    )
}

fn mebibytes(kib: u64) -> f64 {
    // Exact below 8 EiB.
    f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn runs(cpu_ms: u64, peak_kib: u64) -> Runs {
        let time = Duration::from_millis(cpu_ms);
        Runs::of(vec![Run { cpu: time, wall: time, peak_kib, code: Some(0) }])
    }

    #[test]
    fn a_goal_is_met_or_missed_by_the_ratio_to_the_first_line() {
        let (ss, quick, slow) = (runs(10, 4096), runs(5, 5120), runs(13, 40 * 1024));
        let line = |name, runs, goal| Line { name, runs, goal };
        let goal = Some(Goal(1.2));
        let lines = [line("ss", &ss, None), line("quick", &quick, goal), line("slow", &slow, goal)];
        let text = table("No hit", &lines);
        let found = |word: &str| text.lines().find(|l| l.starts_with(word)).unwrap().to_owned();
        assert!(found("quick").ends_with("0.50     1      0  <= 1.2x met, < 30 MB met"), "{text}");
        assert!(
            found("slow").ends_with("1.30     1      0  <= 1.2x missed, < 30 MB missed"),
            "{text}"
        );
    }

    #[test]
    fn what_never_ran_says_so() {
        let none = Runs::default();
        let text = table("x", &[Line { name: "fuser", runs: &none, goal: None }]);
        assert!(text.contains("fuser") && text.contains("no time was left"), "{text}");
    }
}
