//! The rules broken one at a time, and the recorded questions judged again: a test that cannot tell a wrong rule from the
//! right one proves nothing. No kernel is needed, because every question was kept with its answer.

use crate::exam::Exam;
use lastack_model::bind::Rules;

/// One rule and how to break it.
type Breakage = (&'static str, fn(&mut Rules));

/// Every switch of [`Rules`].
const BREAKAGES: [Breakage; 15] = [
    ("wildcard_covers_specific", |r| r.wildcard_covers_specific ^= true),
    ("dual_stack_covers_v4", |r| r.dual_stack_covers_v4 ^= true),
    ("v6only_spares_v4", |r| r.v6only_spares_v4 ^= true),
    ("loopback_stand_in", |r| r.loopback_stand_in ^= true),
    ("devices_separate", |r| r.devices_separate ^= true),
    ("reuse_address_needs_both", |r| r.reuse_address_needs_both ^= true),
    ("listener_refuses_reuse_address", |r| r.listener_refuses_reuse_address ^= true),
    ("reuse_port_needs_both", |r| r.reuse_port_needs_both ^= true),
    ("reuse_port_needs_same_uid", |r| r.reuse_port_needs_same_uid ^= true),
    ("minisock_passes_any_uid", |r| r.minisock_passes_any_uid ^= true),
    ("reserved_ports_need_capability", |r| r.reserved_ports_need_capability ^= true),
    ("v4_checks_address_first", |r| r.v4_checks_address_first ^= true),
    ("mapped_sees_mapped_wildcard", |r| r.mapped_sees_mapped_wildcard ^= true),
    ("reuse_address_shortcut", |r| r.reuse_address_shortcut ^= true),
    ("reuse_port_shortcut", |r| r.reuse_port_shortcut ^= true),
];

/// How many of the questions each broken rule misjudges.
pub(crate) fn caught(exams: &[Exam]) -> Vec<(&'static str, usize)> {
    let misjudged = |&(name, break_it): &Breakage| {
        let judged_badly = |exam: &&Exam| {
            let mut rules = Rules::of(exam.host.kernel);
            break_it(&mut rules);
            !exam.faults(rules).is_empty()
        };
        (name, exams.iter().filter(judged_badly).count())
    };
    BREAKAGES.iter().map(misjudged).collect()
}
