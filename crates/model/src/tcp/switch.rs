//! The switches of a profile by name, so that a disagreement between a script and a profile can be named.
//!
//! A script that fails under a profile and passes with one switch turned describes a system that differs there.

use super::profile::{OldSegment, Profile, TimeWaitJudgement, TimeWaitReset, UnreadData};

/// A switch by its name, so that a disagreement with a profile can be named.
#[derive(Clone, Copy, Debug)]
pub struct Switch {
    /// What the switch says when it is on, in kebab case.
    pub name: &'static str,
    /// The profile with the switch turned the other way.
    pub turned: fn(Profile) -> Profile,
}

/// The switches by which the systems known here differ.
pub const SWITCHES: [Switch; 31] = [
    Switch {
        name: "time-wait-ignores-reset",
        turned: |profile| {
            let time_wait_reset = match profile.time_wait_reset {
                TimeWaitReset::Ends => TimeWaitReset::Ignored,
                TimeWaitReset::Ignored => TimeWaitReset::Ends,
            };
            Profile { time_wait_reset, ..profile }
        },
    },
    Switch {
        name: "time-wait-reopens",
        turned: |p| Profile { time_wait_reopens: !p.time_wait_reopens, ..p },
    },
    Switch {
        name: "time-wait-answers-fin-without-ack",
        turned: |p| Profile {
            time_wait_answers_fin_without_ack: !p.time_wait_answers_fin_without_ack,
            ..p
        },
    },
    Switch {
        name: "time-wait-dies-of-syn-fin",
        turned: |p| Profile { time_wait_dies_of_syn_fin: !p.time_wait_dies_of_syn_fin, ..p },
    },
    Switch {
        name: "reset-before-next",
        turned: |p| Profile { reset_before_next: !p.reset_before_next, ..p },
    },
    Switch {
        name: "right-edge-inclusive",
        turned: |p| Profile { right_edge_inclusive: !p.right_edge_inclusive, ..p },
    },
    Switch {
        name: "reset-anywhere-in-window",
        turned: |p| Profile { reset_anywhere_in_window: !p.reset_anywhere_in_window, ..p },
    },
    Switch {
        name: "reset-after-fin-breaks-pipe",
        turned: |p| Profile { reset_after_fin_breaks_pipe: !p.reset_after_fin_breaks_pipe, ..p },
    },
    Switch {
        name: "unread-data-at-close-resets",
        turned: |profile| {
            let unread_data_at_close = match profile.unread_data_at_close {
                UnreadData::Resets => UnreadData::Discarded,
                UnreadData::Discarded => UnreadData::Resets,
            };
            Profile { unread_data_at_close, ..profile }
        },
    },
    Switch {
        name: "data-after-close-resets",
        turned: |p| Profile { data_after_close_resets: !p.data_after_close_resets, ..p },
    },
    Switch {
        name: "time-wait-answers-what-is-not-next",
        turned: |profile| {
            let time_wait_judgement = match profile.time_wait_judgement {
                TimeWaitJudgement::Window | TimeWaitJudgement::NextAndAll => {
                    TimeWaitJudgement::Next
                }
                TimeWaitJudgement::Next => TimeWaitJudgement::Window,
            };
            Profile { time_wait_judgement, ..profile }
        },
    },
    Switch {
        name: "old-segments-acknowledge",
        turned: |profile| {
            let old_segment = match profile.old_segment {
                OldSegment::Dropped => OldSegment::Counts,
                OldSegment::CountsAtNext | OldSegment::Counts => OldSegment::Dropped,
            };
            Profile { old_segment, ..profile }
        },
    },
    Switch {
        name: "fin-wait-2-ends",
        turned: |p| Profile { fin_wait_2_ends: !p.fin_wait_2_ends, ..p },
    },
    Switch {
        name: "listener-drops-syn-ack",
        turned: |p| Profile { listener_drops_syn_ack: !p.listener_drops_syn_ack, ..p },
    },
    Switch {
        name: "listener-drops-syn-fin",
        turned: |p| Profile { listener_drops_syn_fin: !p.listener_drops_syn_fin, ..p },
    },
    Switch {
        name: "repeated-syn-draws-syn-ack",
        turned: |p| Profile { repeated_syn_draws_syn_ack: !p.repeated_syn_draws_syn_ack, ..p },
    },
    Switch {
        name: "repeats-fin-with-ack",
        turned: |p| Profile { repeats_fin_with_ack: !p.repeats_fin_with_ack, ..p },
    },
    Switch { name: "drops-syn-fin", turned: |p| Profile { drops_syn_fin: !p.drops_syn_fin, ..p } },
    Switch {
        name: "drops-without-ack",
        turned: |p| Profile { drops_without_ack: !p.drops_without_ack, ..p },
    },
    Switch {
        name: "too-old-ack-challenged",
        turned: |p| Profile { too_old_ack_challenged: !p.too_old_ack_challenged, ..p },
    },
    Switch {
        name: "silent-after-fin",
        turned: |p| Profile { silent_after_fin: !p.silent_after_fin, ..p },
    },
    Switch {
        name: "data-across-fin-resets",
        turned: |p| Profile { data_across_fin_resets: !p.data_across_fin_resets, ..p },
    },
    Switch {
        name: "closing-ends-silently",
        turned: |p| Profile { closing_ends_silently: !p.closing_ends_silently, ..p },
    },
    Switch {
        name: "early-after-close-resets",
        turned: |p| Profile { early_after_close_resets: !p.early_after_close_resets, ..p },
    },
    Switch {
        name: "small-fin-wait-2",
        turned: |p| Profile { small_fin_wait_2: !p.small_fin_wait_2, ..p },
    },
    Switch { name: "small-request", turned: |p| Profile { small_request: !p.small_request, ..p } },
    Switch {
        name: "syn-ack-completes-crossing",
        turned: |p| Profile { syn_ack_completes_crossing: !p.syn_ack_completes_crossing, ..p },
    },
    Switch {
        name: "any-ack-completes-crossing",
        turned: |p| Profile { any_ack_completes_crossing: !p.any_ack_completes_crossing, ..p },
    },
    Switch {
        name: "crossing-is-reset",
        turned: |p| Profile { crossing_is_reset: !p.crossing_is_reset, ..p },
    },
    Switch {
        name: "overrun-needs-empty-queue",
        turned: |p| Profile { overrun_needs_empty_queue: !p.overrun_needs_empty_queue, ..p },
    },
    Switch {
        name: "listener-is-the-connection",
        turned: |p| Profile { listener_is_the_connection: !p.listener_is_the_connection, ..p },
    },
];
