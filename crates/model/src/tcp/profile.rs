//! Where systems differ, or go beyond the letter of RFC 9293: one switch each, with its source.
//!
//! A profile is data. The state machine asks a switch where the behaviours part and nowhere asks which system it is.

/// A system's behaviour.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Profile {
    /// What it is called.
    pub name: &'static str,
    /// What an acceptable RST does to a `TIME_WAIT`.
    pub time_wait_reset: TimeWaitReset,
    /// What starts the wait of `TIME_WAIT` anew.
    pub time_wait_restart: TimeWaitRestart,
    /// Whether a SYN beyond the old connection's numbers opens a new one out of `TIME_WAIT`.
    pub time_wait_reopens: bool,
    /// Whether a FIN without ACK is answered in `TIME_WAIT`; by the RFC a segment without ACK is dropped.
    pub time_wait_answers_fin_without_ack: bool,
    /// Whether a SYN with FIN destroys a `TIME_WAIT` and opens nothing (`tcp_v4_rcv`, case `TCP_TW_SYN`).
    pub time_wait_dies_of_syn_fin: bool,
    /// Whether an RST one before `RCV.NXT` counts once a FIN was received (`tcp_reset_check`: macOS sends such).
    pub reset_before_next: bool,
    /// Whether the right edge of the window belongs to it (`tcp_sequence`: after, not at or after).
    pub right_edge_inclusive: bool,
    /// Whether an RST inside the window but not at `RCV.NXT` resets (before RFC 5961 §3).
    pub reset_anywhere_in_window: bool,
    /// What closing with unread data does.
    pub unread_data_at_close: UnreadData,
    /// Whether data that arrives after the program has closed is answered by a reset (RFC 9293 §3.6.1, RFC 2525 §2.17).
    pub data_after_close_resets: bool,
    /// Whether a `FIN_WAIT_2` that no program holds ends by itself.
    pub fin_wait_2_ends: bool,
    /// Whether a connection that a listener made goes back to it when it is reset (RFC 9293 §3.10.7.4), rather than
    /// being a socket of its own that goes away.
    pub listener_is_the_connection: bool,
}

/// What an acceptable RST does to a `TIME_WAIT`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TimeWaitReset {
    /// It ends it (RFC 9293 §3.10.7.4, second): RFC 1337 calls that assassination.
    Ends,
    /// It is ignored (RFC 1337 §4, fix F1).
    Ignored,
}

/// What starts the wait of `TIME_WAIT` anew.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TimeWaitRestart {
    /// A repeated FIN (RFC 9293 §3.10.7.4, eighth).
    Fin,
    /// Any segment that acknowledges and does not reset (`tcp_timewait_state_process`).
    AnyAck,
}

/// What closing with unread data does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UnreadData {
    /// A reset is sent, since the data is lost (RFC 2525 §2.17; `tcp_close`).
    Resets,
    /// The FIN is sent all the same.
    Discarded,
}

impl Profile {
    /// The letter of RFC 9293, where it leaves a choice the one it recommends.
    pub const RFC_9293: Self = Self {
        name: "rfc9293",
        time_wait_reset: TimeWaitReset::Ends,
        time_wait_restart: TimeWaitRestart::Fin,
        time_wait_reopens: true,
        time_wait_answers_fin_without_ack: false,
        time_wait_dies_of_syn_fin: false,
        reset_before_next: false,
        right_edge_inclusive: false,
        reset_anywhere_in_window: false,
        unread_data_at_close: UnreadData::Resets,
        data_after_close_resets: true,
        fin_wait_2_ends: false,
        listener_is_the_connection: true,
    };

    /// Linux at its defaults.
    pub const LINUX: Self = Self {
        name: "linux",
        time_wait_reset: TimeWaitReset::Ends,
        time_wait_restart: TimeWaitRestart::AnyAck,
        time_wait_reopens: true,
        time_wait_answers_fin_without_ack: true,
        time_wait_dies_of_syn_fin: true,
        reset_before_next: true,
        right_edge_inclusive: true,
        reset_anywhere_in_window: false,
        unread_data_at_close: UnreadData::Resets,
        data_after_close_resets: true,
        fin_wait_2_ends: true,
        listener_is_the_connection: false,
    };

    /// FreeBSD at its defaults.
    pub const FREE_BSD: Self = Self {
        name: "freebsd",
        time_wait_reset: TimeWaitReset::Ignored,
        time_wait_restart: TimeWaitRestart::Fin,
        time_wait_reopens: true,
        time_wait_answers_fin_without_ack: false,
        time_wait_dies_of_syn_fin: false,
        reset_before_next: false,
        right_edge_inclusive: false,
        reset_anywhere_in_window: false,
        unread_data_at_close: UnreadData::Discarded,
        data_after_close_resets: true,
        fin_wait_2_ends: true,
        listener_is_the_connection: false,
    };

    /// Every profile there is.
    pub const ALL: [Self; 3] = [Self::RFC_9293, Self::LINUX, Self::FREE_BSD];
}
