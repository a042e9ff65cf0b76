//! Outputs kept to the end, the same ones once. What is kept is bounded, for each host and for all; a host that writes
//! more is printed as it comes.

use super::Plan;
use lastack_rsh::hosts::fold;
use std::collections::{BTreeMap, HashMap, HashSet};

/// What was gathered so far.
#[derive(Debug, Default)]
pub(super) struct Gather {
    open: HashMap<usize, Vec<u8>>,
    passed: HashSet<usize>,
    /// By command and output: the tasks that wrote it.
    ended: HashMap<(usize, Vec<u8>), Vec<usize>>,
    held: usize,
}

/// What became of some octets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Taken {
    /// They are kept.
    Kept,
    /// They are to be printed.
    Passed,
    /// There is no more room: all of this task's are to be printed, these and those before them.
    Full(Vec<u8>),
}

/// The same output of several hosts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Group {
    /// Who wrote it, in order.
    pub(super) tasks: Vec<usize>,
    /// Which command.
    pub(super) command: usize,
    pub(super) octets: Vec<u8>,
}

/// Kept of each host at most.
const MOST_EACH: usize = 1 << 20;
/// Kept of all at most.
const MOST: usize = 256 << 20;

impl Gather {
    pub(super) fn take(&mut self, task: usize, octets: &[u8]) -> Taken {
        if self.passed.contains(&task) {
            return Taken::Passed;
        }
        let kept = self.open.entry(task).or_default();
        kept.extend_from_slice(octets);
        self.held += octets.len();
        if kept.len() <= MOST_EACH && self.held <= MOST {
            return Taken::Kept;
        }
        let all = self.open.remove(&task).unwrap_or_default();
        self.held -= all.len();
        self.passed.insert(task);
        Taken::Full(all)
    }

    /// A task is over.
    pub(super) fn end(&mut self, task: usize, command: usize) {
        let Some(octets) = self.open.remove(&task) else { return };
        let length = octets.len();
        let alike = self.ended.entry((command, octets)).or_default();
        if !alike.is_empty() {
            self.held -= length;
        }
        alike.push(task);
    }

    /// The groups, in the order of the list of hosts.
    pub(super) fn groups(self) -> Vec<Group> {
        let mut groups = BTreeMap::new();
        for ((command, octets), mut tasks) in self.ended {
            tasks.sort_unstable();
            groups.insert((command, tasks[0]), Group { tasks, command, octets });
        }
        groups.into_values().collect()
    }
}

/// What stands above a group: its hosts, how many they are if several, and which command where there are several.
pub(super) fn head(plan: &Plan, group: &Group) -> String {
    let hosts = fold(group.tasks.iter().map(|task| plan.host(*task)));
    let count = match group.tasks.len() {
        1 => String::new(),
        count => format!(" ({count})"),
    };
    let command = if plan.commands.len() > 1 {
        let text = String::from_utf8_lossy(&plan.commands[group.command]);
        format!(": {}", text.escape_debug())
    } else {
        String::new()
    };
    let line = "-".repeat(15);
    format!("{line}\n{hosts}{count}{command}\n{line}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_output_is_one_group_and_groups_stand_as_the_hosts_do() {
        let mut gather = Gather::default();
        for (task, octets) in [(2, &b"x\n"[..]), (0, b"y\n"), (1, b"x\n")] {
            assert_eq!(gather.take(task, octets), Taken::Kept);
        }
        (0..4).for_each(|task| gather.end(task, 0));
        assert_eq!(gather.held, 4, "the same is held once");
        let groups = gather.groups();
        let tasks: Vec<&[usize]> = groups.iter().map(|group| &group.tasks[..]).collect();
        assert_eq!(tasks, [&[0][..], &[1, 2]]);
    }

    #[test]
    fn a_host_that_writes_too_much_is_printed_and_the_others_are_kept() {
        let mut gather = Gather::default();
        let much = vec![b'x'; MOST_EACH];
        assert_eq!(gather.take(0, &much), Taken::Kept);
        let Taken::Full(all) = gather.take(0, b"y") else { panic!("too much was kept") };
        assert_eq!(all.len(), MOST_EACH + 1);
        assert_eq!((gather.take(0, b"z"), gather.held), (Taken::Passed, 0));
        assert_eq!(gather.take(1, b"z"), Taken::Kept);
        gather.end(0, 0);
        gather.end(1, 0);
        assert_eq!(gather.groups().len(), 1);
    }
}
