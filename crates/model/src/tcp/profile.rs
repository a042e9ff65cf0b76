//! Where systems differ, or go beyond the letter of RFC 9293: one switch each, with its source.
//!
//! A profile is data. The state machine asks a switch where the behaviours part and nowhere asks which system it is.

use super::moment::Moment;

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
    /// How `TIME_WAIT` tells a segment that needs no answer.
    pub time_wait_judgement: TimeWaitJudgement,
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
    /// What a SYN inside the window of a connection does.
    pub syn_in_connection: SynInConnection,
    /// Whether a SYN with FIN is dropped wherever it arrives (`net.inet.tcp.drop_synfin`).
    pub drops_syn_fin: bool,
    /// Whether what an old segment acknowledges counts.
    pub old_segment: OldSegment,
    /// Whether a SYN that acknowledges is dropped by a listener (`tcp_input`), and not reset (RFC 9293 §3.10.7.2).
    pub listener_drops_syn_ack: bool,
    /// Whether a SYN with FIN is dropped by a listener (`tcp_rcv_state_process`, case `TCP_LISTEN`).
    pub listener_drops_syn_fin: bool,
    /// Whether the SYN that made a half-open connection draws the SYN,ACK once more when it is repeated
    /// (`tcp_check_req`, `syncache_add`), and not a bare acknowledgement (RFC 9293 §3.10.7.4, first).
    pub repeated_syn_draws_syn_ack: bool,
    /// Whether the FIN is sent again with every acknowledgement while it is not acknowledged itself (`tcp_output`).
    pub repeats_fin_with_ack: bool,
    /// Whether an RST after the peer's FIN is told as `EPIPE` and not `ECONNRESET` (`tcp_reset`).
    pub reset_after_fin_breaks_pipe: bool,
    /// Whether a segment with neither ACK, SYN nor RST is dropped before its numbers are looked at
    /// (`tcp_rcv_state_process`), where by the RFC one outside the window is answered.
    pub drops_without_ack: bool,
    /// Whether an acknowledgement from further back than anything acknowledged, or than a window, is challenged and its
    /// segment dropped (RFC 5961 §5, which RFC 9293 leaves open: MAY-12; `tcp_ack`).
    pub too_old_ack_challenged: bool,
    /// Whether what follows the peer's FIN is dropped without a word (`tcp_rcv_state_process`), where by the RFC its text
    /// is ignored and the segment acknowledged.
    pub silent_after_fin: bool,
    /// Whether octets of which some lie beyond the peer's FIN reset (`tcp_rcv_state_process`).
    pub data_across_fin_resets: bool,
    /// Whether the acknowledgement of our FIN ends `CLOSING` with no answer to what comes along with it
    /// (`tcp_rcv_state_process`).
    pub closing_ends_silently: bool,
    /// Whether what comes before its turn resets, too, once the program has closed, a FIN included
    /// (`tcp_rcv_state_process`).
    pub early_after_close_resets: bool,
    /// Whether a `FIN_WAIT_2` that no program holds is a small socket that knows the window and the next number and
    /// nothing else (`tcp_time_wait`, `tcp_timewait_state_process`).
    pub small_fin_wait_2: bool,
    /// Whether what a listener has half opened is a request with rules of its own (`tcp_check_req`): the
    /// acknowledgement is looked at before the window, and a SYN inside of it resets.
    pub small_request: bool,
    /// Whether a SYN,ACK completes the connection when two SYNs have crossed (`tcp_validate_incoming`, from Linux 6.12;
    /// RFC 9293 figure 8, but not its §3.10.7.4).
    pub syn_ack_completes_crossing: bool,
    /// Whether then an acknowledgement that does not cover our SYN completes it as well (`tcp_rcv_state_process` takes
    /// what `tcp_ack` takes for a repetition).
    pub any_ack_completes_crossing: bool,
    /// Whether a reset then is told as `ECONNRESET` (`tcp_reset`), where by the RFC the connection was refused.
    pub crossing_is_reset: bool,
    /// Whether octets that reach beyond the window are dropped and acknowledged while the program has something to read,
    /// the peer's FIN included (`tcp_sequence`, from Linux 6.17); without that the part inside the window counts.
    pub overrun_needs_empty_queue: bool,
    /// How long it waits for what.
    pub timing: &'static Timing,
}

/// What a SYN inside the window of a connection does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SynInConnection {
    /// It is challenged (RFC 5961 §4).
    Challenged,
    /// It resets (RFC 793 §3.9, fourth).
    Resets,
}

/// How long a system waits for what.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timing {
    /// Until a SYN is sent again for the first time.
    pub first_rto: Moment,
    /// Until data or a FIN is sent again for the first time, where the peer answers fast.
    pub least_rto: Moment,
    /// The longest time from one retransmission to the next.
    pub most_rto: Moment,
    /// Until a SYN is given up.
    pub give_up_syn: Moment,
    /// Until data or a FIN is given up that a program waits for.
    pub give_up: Moment,
    /// Until it is given up when no program holds the connection.
    pub give_up_orphan: Moment,
    /// Until a `FIN_WAIT_2` that no program holds ends.
    pub fin_wait_2: Moment,
    /// How long `TIME_WAIT` lasts.
    pub time_wait: Moment,
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

/// How `TIME_WAIT` tells a segment that needs no answer. What has no ACK is a matter of its own
/// (`time_wait_answers_fin_without_ack`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TimeWaitJudgement {
    /// By the window, like every state (RFC 9293 §3.10.7.4, first): a bare acknowledgement inside of it is none.
    Window,
    /// It is bare and begins at `RCV.NXT`; everything else is answered (`tcp_timewait_state_process`).
    Next,
    /// Beside that, it acknowledges everything sent (`tcp_twcheck`).
    NextAndAll,
}

/// Whether what an old segment acknowledges counts, one that lies before the window.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OldSegment {
    /// It does not: the segment is answered and dropped (RFC 9293 §3.10.7.4, first).
    Dropped,
    /// It does where the segment ends at `RCV.NXT`, as a repeated FIN does (`tcp_sequence`).
    CountsAtNext,
    /// It does (`tcp_do_segment` drops the octets and goes on).
    Counts,
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
        syn_in_connection: SynInConnection::Challenged,
        drops_syn_fin: false,
        reset_after_fin_breaks_pipe: false,
        time_wait_judgement: TimeWaitJudgement::Window,
        listener_drops_syn_ack: false,
        repeats_fin_with_ack: false,
        old_segment: OldSegment::Dropped,
        listener_drops_syn_fin: false,
        repeated_syn_draws_syn_ack: false,
        drops_without_ack: false,
        too_old_ack_challenged: false,
        silent_after_fin: false,
        data_across_fin_resets: false,
        closing_ends_silently: false,
        early_after_close_resets: false,
        small_fin_wait_2: false,
        small_request: false,
        syn_ack_completes_crossing: false,
        any_ack_completes_crossing: false,
        crossing_is_reset: false,
        overrun_needs_empty_queue: false,
        timing: &Timing::RFC,
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
        syn_in_connection: SynInConnection::Challenged,
        drops_syn_fin: false,
        reset_after_fin_breaks_pipe: true,
        time_wait_judgement: TimeWaitJudgement::Next,
        listener_drops_syn_ack: false,
        repeats_fin_with_ack: false,
        old_segment: OldSegment::CountsAtNext,
        listener_drops_syn_fin: true,
        repeated_syn_draws_syn_ack: true,
        drops_without_ack: true,
        too_old_ack_challenged: true,
        silent_after_fin: true,
        data_across_fin_resets: true,
        closing_ends_silently: true,
        early_after_close_resets: true,
        small_fin_wait_2: true,
        small_request: true,
        syn_ack_completes_crossing: true,
        any_ack_completes_crossing: true,
        crossing_is_reset: true,
        overrun_needs_empty_queue: true,
        timing: &Timing::LINUX,
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
        syn_in_connection: SynInConnection::Challenged,
        drops_syn_fin: false,
        reset_after_fin_breaks_pipe: false,
        time_wait_judgement: TimeWaitJudgement::NextAndAll,
        listener_drops_syn_ack: true,
        repeats_fin_with_ack: true,
        old_segment: OldSegment::Counts,
        listener_drops_syn_fin: false,
        repeated_syn_draws_syn_ack: true,
        drops_without_ack: false,
        too_old_ack_challenged: false,
        silent_after_fin: false,
        data_across_fin_resets: false,
        closing_ends_silently: false,
        early_after_close_resets: false,
        small_fin_wait_2: false,
        small_request: false,
        syn_ack_completes_crossing: false,
        any_ack_completes_crossing: false,
        crossing_is_reset: false,
        overrun_needs_empty_queue: false,
        timing: &Timing::FREE_BSD,
    };

    /// Every profile there is.
    pub const ALL: [Self; 3] = [Self::RFC_9293, Self::LINUX, Self::FREE_BSD];
}

impl Timing {
    /// RFC 6298 §2 (1 s at first and at least, 60 s at most allowed), RFC 9293 §3.8.3 (R2: 3 minutes for a SYN, 100 s
    /// else) and §3.4.2 (segments live 2 minutes). It knows no end of `FIN_WAIT_2`.
    pub const RFC: Self = Self {
        first_rto: Moment::of_secs(1),
        least_rto: Moment::of_secs(1),
        most_rto: Moment::of_secs(60),
        give_up_syn: Moment::of_secs(180),
        give_up: Moment::of_secs(100),
        give_up_orphan: Moment::of_secs(100),
        fin_wait_2: Moment(u64::MAX),
        time_wait: Moment::of_secs(240),
    };

    /// `TCP_TIMEOUT_INIT`, `TCP_RTO_MIN`, `TCP_RTO_MAX`; what `tcp_syn_retries` 6, `tcp_retries2` 15 and
    /// `tcp_orphan_retries` 8 come to; `tcp_fin_timeout`; `TCP_TIMEWAIT_LEN`.
    pub const LINUX: Self = Self {
        first_rto: Moment::of_secs(1),
        least_rto: Moment::of_millis(200),
        most_rto: Moment::of_secs(120),
        give_up_syn: Moment::of_secs(127),
        give_up: Moment::of_millis(924_600),
        give_up_orphan: Moment::of_millis(102_200),
        fin_wait_2: Moment::of_secs(60),
        time_wait: Moment::of_secs(60),
    };

    /// `net.inet.tcp.rexmit_initial`, `rexmit_min` and `rexmit_slop`, `TCPTV_REXMTMAX`, `keepinit`, twelve
    /// retransmissions (`tcp_maxrexmtshift`), `finwait2_timeout`, twice `msl`.
    pub const FREE_BSD: Self = Self {
        first_rto: Moment::of_secs(1),
        least_rto: Moment::of_millis(230),
        most_rto: Moment::of_secs(64),
        give_up_syn: Moment::of_secs(75),
        give_up: Moment::of_secs(421),
        give_up_orphan: Moment::of_secs(421),
        fin_wait_2: Moment::of_secs(60),
        time_wait: Moment::of_secs(60),
    };
}
