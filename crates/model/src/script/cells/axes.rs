//! The three axes: where a connection is, what arrives, and where that lies beside the window.

use crate::state::State;

/// Where a connection is before the segment arrives.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Row {
    /// No socket at all.
    Closed,
    /// A listener alone.
    Listen,
    /// A program connects.
    SynSent,
    /// A listener was asked.
    SynReceived,
    /// Two SYNs have crossed.
    SynReceivedCrossing,
    /// Both directions are open.
    Established,
    /// The program has ended its direction, and reads on.
    FinWait1,
    /// The program has closed.
    FinWait1Orphan,
    /// Its FIN is acknowledged, and it reads on.
    FinWait2,
    /// Its FIN is acknowledged, and no program is there.
    FinWait2Orphan,
    /// The peer has ended its direction.
    CloseWait,
    /// Both have, at once.
    Closing,
    /// The peer has, then the program, which still holds the socket.
    LastAck,
    /// Both have, and all is acknowledged.
    TimeWait,
}

/// What arrives.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// A bare acknowledgement.
    Ack,
    /// A FIN without ACK.
    Fin,
    /// A FIN.
    FinAck,
    /// An RST without ACK.
    Rst,
    /// An RST.
    RstAck,
    /// A SYN.
    Syn,
    /// A SYN with ACK.
    SynAck,
    /// A SYN with FIN.
    SynFin,
    /// Ten octets.
    Data,
    /// Ten octets and a FIN.
    DataFin,
}

/// What an arriving segment acknowledges.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Acked {
    /// It has no ACK.
    Nothing,
    /// Everything sent.
    All,
    /// All but the last number, which is that of the SYN or of the FIN.
    Short,
    /// One number that was never sent.
    Beyond,
    /// Numbers from long before, further back than a window (RFC 5961 §5).
    Ancient,
}

/// Where the first number of a segment lies.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Position {
    /// There is no window to lie beside.
    Anywhere,
    /// Long received.
    Old,
    /// The last number received.
    Before,
    /// The next number expected (`RCV.NXT`).
    Next,
    /// Inside the window.
    Middle,
    /// The last number inside of it.
    Last,
    /// The first number beyond it.
    Edge,
    /// The second.
    Past,
}

impl Row {
    /// Every row.
    pub const ALL: [Self; 14] = [
        Self::Closed,
        Self::Listen,
        Self::SynSent,
        Self::SynReceived,
        Self::SynReceivedCrossing,
        Self::Established,
        Self::FinWait1,
        Self::FinWait1Orphan,
        Self::FinWait2,
        Self::FinWait2Orphan,
        Self::CloseWait,
        Self::Closing,
        Self::LastAck,
        Self::TimeWait,
    ];

    /// Its name in the name of a cell.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Listen => "listen",
            Self::SynSent => "syn-sent",
            Self::SynReceived => "syn-received",
            Self::SynReceivedCrossing => "syn-received-crossing",
            Self::Established => "established",
            Self::FinWait1 => "fin-wait-1",
            Self::FinWait1Orphan => "fin-wait-1-orphan",
            Self::FinWait2 => "fin-wait-2",
            Self::FinWait2Orphan => "fin-wait-2-orphan",
            Self::CloseWait => "close-wait",
            Self::Closing => "closing",
            Self::LastAck => "last-ack",
            Self::TimeWait => "time-wait",
        }
    }

    /// The connection's state.
    pub const fn state(self) -> State {
        match self {
            Self::Closed => State::Closed,
            Self::Listen => State::Listen,
            Self::SynSent => State::SynSent,
            Self::SynReceived | Self::SynReceivedCrossing => State::SynReceived,
            Self::Established => State::Established,
            Self::FinWait1 | Self::FinWait1Orphan => State::FinWait1,
            Self::FinWait2 | Self::FinWait2Orphan => State::FinWait2,
            Self::CloseWait => State::CloseWait,
            Self::Closing => State::Closing,
            Self::LastAck => State::LastAck,
            Self::TimeWait => State::TimeWait,
        }
    }

    /// How it gets there: calls, and segments that arrive.
    pub(super) fn way(self) -> Vec<&'static str> {
        let [listens, opens, connects] = [&LISTENS[..], &OPENS[..], &CONNECTS[..]];
        let further: &[&'static str] = match self {
            Self::Closed => return Vec::new(),
            Self::Listen => return listens.to_vec(),
            Self::SynSent => return connects.to_vec(),
            Self::SynReceived => return [listens, &opens[..1]].concat(),
            Self::SynReceivedCrossing => return [connects, &opens[..1]].concat(),
            Self::Established => &[],
            Self::FinWait1 => &[SHUTS],
            Self::FinWait1Orphan => &[CLOSES],
            Self::FinWait2 => &[SHUTS, "< . 1:1(0) ack 2 win 65535"],
            Self::FinWait2Orphan => &[CLOSES, "< . 1:1(0) ack 2 win 65535"],
            Self::CloseWait => &[PEER_SHUTS],
            Self::Closing => &[SHUTS, PEER_SHUTS],
            Self::LastAck => &[PEER_SHUTS, SHUTS],
            Self::TimeWait => &[SHUTS, "< F. 1:1(0) ack 2 win 65535"],
        };
        [listens, opens, further].concat()
    }

    /// The next number expected of the peer, relative to its first; `None` where there is no window yet.
    pub const fn next(self) -> Option<u32> {
        match self {
            Self::Closed | Self::Listen | Self::SynSent => None,
            Self::SynReceived
            | Self::SynReceivedCrossing
            | Self::Established
            | Self::FinWait1
            | Self::FinWait1Orphan
            | Self::FinWait2
            | Self::FinWait2Orphan => Some(1),
            Self::CloseWait | Self::Closing | Self::LastAck | Self::TimeWait => Some(2),
        }
    }

    /// The next number that it would send, relative to its first.
    pub const fn own_next(self) -> u32 {
        match self {
            Self::Closed
            | Self::Listen
            | Self::SynSent
            | Self::SynReceived
            | Self::SynReceivedCrossing
            | Self::Established
            | Self::CloseWait => 1,
            Self::FinWait1
            | Self::FinWait1Orphan
            | Self::FinWait2
            | Self::FinWait2Orphan
            | Self::Closing
            | Self::LastAck
            | Self::TimeWait => 2,
        }
    }

    /// The descriptor of the connection that a program holds.
    pub(super) const fn descriptor(self) -> Option<u8> {
        match self {
            Self::Closed
            | Self::Listen
            | Self::SynReceived
            | Self::FinWait1Orphan
            | Self::FinWait2Orphan => None,
            Self::SynSent | Self::SynReceivedCrossing => Some(3),
            Self::Established
            | Self::FinWait1
            | Self::FinWait2
            | Self::CloseWait
            | Self::Closing
            | Self::LastAck
            | Self::TimeWait => Some(4),
        }
    }
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Ack,
        Self::Fin,
        Self::FinAck,
        Self::Rst,
        Self::RstAck,
        Self::Syn,
        Self::SynAck,
        Self::SynFin,
        Self::Data,
        Self::DataFin,
    ];

    /// Its name in the name of a cell.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ack => "ack",
            Self::Fin => "fin",
            Self::FinAck => "fin+ack",
            Self::Rst => "rst",
            Self::RstAck => "rst+ack",
            Self::Syn => "syn",
            Self::SynAck => "syn+ack",
            Self::SynFin => "syn+fin",
            Self::Data => "data+ack",
            Self::DataFin => "data+fin+ack",
        }
    }

    /// What it may acknowledge.
    pub const fn acknowledges(self) -> &'static [Acked] {
        match self {
            Self::Fin | Self::Rst | Self::Syn | Self::SynFin => &[Acked::Nothing],
            Self::Ack | Self::FinAck | Self::RstAck | Self::SynAck | Self::Data | Self::DataFin => {
                &[Acked::All, Acked::Short, Acked::Beyond, Acked::Ancient]
            }
        }
    }

    /// Its letters, as scripts write them.
    pub(super) const fn letters(self) -> &'static str {
        match self {
            Self::Ack => ".",
            Self::Fin => "F",
            Self::FinAck => "F.",
            Self::Rst => "R",
            Self::RstAck => "R.",
            Self::Syn => "S",
            Self::SynAck => "S.",
            Self::SynFin => "SF",
            Self::Data => "P.",
            Self::DataFin => "FP.",
        }
    }

    /// How many octets it carries.
    pub const fn length(self) -> u32 {
        match self {
            Self::Data | Self::DataFin => 10,
            _ => 0,
        }
    }
}

impl Acked {
    /// What stands behind the kind in the name of a cell.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::All => "=all",
            Self::Short => "=short",
            Self::Beyond => "=beyond",
            Self::Ancient => "=ancient",
        }
    }

    /// The number, of an end that would send this one next.
    pub const fn number(self, next: u32) -> Option<u32> {
        match self {
            Self::Nothing => None,
            Self::All => Some(next),
            Self::Short => Some(next - 1),
            Self::Beyond => Some(next + 1),
            Self::Ancient => Some(next.wrapping_sub(100_000)),
        }
    }
}

impl Position {
    /// Every position beside a window.
    pub const ALL: [Self; 7] =
        [Self::Old, Self::Before, Self::Next, Self::Middle, Self::Last, Self::Edge, Self::Past];

    /// Its name in the name of a cell.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Anywhere => "anywhere",
            Self::Old => "old",
            Self::Before => "prev",
            Self::Next => "next",
            Self::Middle => "mid",
            Self::Last => "last",
            Self::Edge => "edge",
            Self::Past => "past",
        }
    }

    /// Its number, where this one is expected next.
    pub const fn number(self, next: u32) -> u32 {
        match self {
            Self::Anywhere => 0,
            Self::Old => next.wrapping_sub(1000),
            Self::Before => next - 1,
            Self::Next => next,
            Self::Middle => next + 1000,
            Self::Last => next + WINDOW - 1,
            Self::Edge => next + WINDOW,
            Self::Past => next + WINDOW + 1,
        }
    }
}

/// The window that is offered without scaling.
const WINDOW: u32 = 65_535;

/// 51 segments of this size fill the widest window that can be offered without scaling, of which a kernel that offers
/// whole segments then holds neither more nor less (`tcp_select_initial_window`).
const SEGMENTS: &str = "setsockopt(3, SOL_TCP, TCP_MAXSEG, [1285], 4) = 0";
const LISTENS: [&str; 5] = [
    "socket(..., SOCK_STREAM, IPPROTO_TCP) = 3",
    SEGMENTS,
    "setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0",
    "bind(3, ..., ...) = 0",
    "listen(3, 1) = 0",
];
const OPENS: [&str; 3] =
    ["< S 0:0(0) win 65535 <mss 1460>", "< . 1:1(0) ack 1 win 65535", "accept(3, ..., ...) = 4"];
const CONNECTS: [&str; 4] = [
    "socket(..., SOCK_STREAM, IPPROTO_TCP) = 3",
    SEGMENTS,
    "fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0",
    "connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)",
];
const SHUTS: &str = "shutdown(4, SHUT_WR) = 0";
const CLOSES: &str = "close(4) = 0";
const PEER_SHUTS: &str = "< F. 1:1(0) ack 1 win 65535";
