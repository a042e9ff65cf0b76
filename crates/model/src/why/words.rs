//! The words for what the rules found: one place, for the terminal, for JSON and for the book.
//!
//! Each is a clause in plain English that says what is so, and for a rule which function of the kernel has it.

use super::conflict::Role;
use super::explanation::Caution;
use super::futile::Futile;
use crate::bind::{Barrier, Hidden, Overlap, Refusal};

impl Role {
    /// What such a socket is.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Listener => "listening",
            Self::BoundOnly => "bound and not listening",
            Self::Dead => "a connection that is dead and was never closed by its program",
            Self::Accepted => "a connection that a server accepted",
            Self::Queued => "a connection waiting to be accepted",
            Self::Outgoing => "the local end of an outgoing connection (inferred from its port)",
            Self::CloseWait => "a connection the peer has closed and the program has not",
            Self::HalfClosed => {
                "a connection its program has closed in one direction and still holds"
            }
            Self::OrphanUnacknowledged => {
                "a closed connection whose end the peer has not acknowledged"
            }
            Self::OrphanFinWait2 => "a closed connection whose peer has not closed",
            Self::TimeWait => "a closed connection in its final wait",
            Self::Udp => "a UDP socket",
        }
    }
}

impl Overlap {
    /// Why the addresses meet.
    pub const fn words(self) -> &'static str {
        match self {
            Self::SameAddress => "it is the same address",
            Self::OldIsWildcard => {
                "it is bound to the wildcard, which covers every address of its family"
            }
            Self::NewIsWildcard => "you ask for the wildcard, which covers its address",
            Self::BothWildcard => "both are the wildcard",
            Self::OldIsDualStack => "it is bound to [::] without V6ONLY, which covers IPv4 as well",
            Self::NewIsDualStack => "you ask for [::] without V6ONLY, which covers IPv4 as well",
            Self::StandIn => {
                "the kernel stores an IPv4 stand-in for such an IPv6 connection, and 0.0.0.0 meets it"
            }
        }
    }
}

impl Barrier {
    /// Why the two may not share.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Listens => "SO_REUSEADDR does not let anyone in beside a listener",
            Self::OtherUser => "SO_REUSEPORT joins sockets of one user only, root included",
            Self::NewSetsNothing => "the new socket sets neither SO_REUSEADDR nor SO_REUSEPORT",
            Self::OldLacksOption => {
                "the option must be set on both sides, and the old socket lacks it"
            }
            Self::OldOptionHidden => {
                "the option must be set on both sides, and the kernel does not show the old side's"
            }
            Self::Nothing => "nothing: they share the port",
        }
    }
}

impl Hidden {
    /// What is not visible.
    pub const fn words(self) -> &'static str {
        match self {
            Self::OldReuseAddress => "whether the old socket has SO_REUSEADDR",
            Self::OldReusePort => "whether the old socket has SO_REUSEPORT",
            Self::OldV6Only => "whether the old socket has V6ONLY",
            Self::OldUid => "which user the old socket belongs to",
            Self::ReusePortShortcut => {
                "whether the port remembers a SO_REUSEPORT bind of this user"
            }
            Self::ReuseAddressShortcut => {
                "whether every owner of the port had SO_REUSEADDR when it bound"
            }
            Self::UdpWalk => "in which order the kernel looks at the UDP sockets of the port",
        }
    }
}

impl Refusal {
    /// Why the bind is refused.
    pub const fn words(self) -> &'static str {
        match self {
            Self::AddressNotLocal => "the address is not one of this host's",
            Self::AddressTentative => {
                "duplicate address detection has not finished for this address"
            }
            Self::AddressOnOtherInterface => "the address belongs to another interface",
            Self::NoIpv6 => "there is no IPv6 here",
            Self::MappedOnV6Only => "an IPv4-mapped address cannot be bound with V6ONLY",
            Self::Multicast => "TCP cannot bind a multicast address",
            Self::NeedsInterface => {
                "a link-local address needs its interface: write it as fe80::1%eth0"
            }
            Self::NoSuchInterface => "the interface does not exist",
            Self::ReservedPort => {
                "ports below ip_unprivileged_port_start need CAP_NET_BIND_SERVICE, which is missing"
            }
        }
    }

    /// The kernel's function that refuses.
    pub const fn source(self) -> &'static str {
        match self {
            Self::AddressNotLocal => "inet_addr_valid_or_nonlocal, ipv6_chk_addr",
            Self::AddressTentative | Self::AddressOnOtherInterface => "ipv6_chk_addr",
            Self::NoIpv6 => "socket",
            Self::ReservedPort => "__inet_bind, __inet6_bind",
            Self::MappedOnV6Only
            | Self::Multicast
            | Self::NeedsInterface
            | Self::NoSuchInterface => "__inet6_bind",
        }
    }
}

impl Futile {
    /// What will not help, and why.
    pub const fn words(self) -> &'static str {
        match self {
            Self::ReuseAddressBesideListener => "SO_REUSEADDR: it lets nobody in beside a listener",
            Self::ReuseAddressOneSided => {
                "SO_REUSEADDR: both sides must have set it, and the old one did not"
            }
            Self::ReuseAddressTried => {
                "SO_REUSEADDR: tried just now and refused, so the old side did not set it"
            }
            Self::ReusePortOtherUser => {
                "SO_REUSEPORT: the users differ; it joins sockets of one user, and root is no exception"
            }
            Self::ReusePortOneSided => {
                "SO_REUSEPORT: both sides must have set it, and the old one did not"
            }
            Self::KillNobodyHoldsIt => {
                "killing a process: none holds it, the kernel keeps it alone"
            }
            Self::KillRemoteEnd => "killing the program at the other end: the port stays taken",
            Self::KillLeavesConnections => {
                "kill -9: the kernel goes on closing the connections, for a minute or more"
            }
            Self::KillOneOfSeveral => {
                "stopping one of the holders: the others keep the socket open"
            }
            Self::DestroyListener => {
                "ss -K on the listener: breaks its program, hides the port and does not free it"
            }
            Self::DestroyBound => {
                "ss -K: the kernel cannot find a bound socket, only closing it helps"
            }
            Self::FinTimeout => "lowering tcp_fin_timeout: it does not shorten TIME_WAIT",
            Self::TimeWaitReuse => "tcp_tw_reuse: it serves outgoing connections only",
            Self::NobodyToStop => "looking for a process to stop: none is in the way",
        }
    }
}

impl Caution {
    /// What to keep in mind.
    pub const fn words(self) -> &'static str {
        match self {
            Self::SecurityModulesInvisible => {
                "no socket stands in the way; Landlock, other security modules and control group \
                 programs could still refuse, and do not show"
            }
            Self::FirstToListenWins => {
                "another socket is bound here with SO_REUSEADDR and does not listen yet: \
                 the first to listen wins, the other gets EADDRINUSE from listen()"
            }
            Self::OverlappingListenersOfDifferentUsers => {
                "ALARM: two listeners of different users overlap, which the ordinary rules cannot produce"
            }
            Self::TrialMade => "a socket was bound and closed again at once to ask the kernel",
            Self::RefusedWithoutCause => {
                "the kernel refused although no socket that explains it is visible"
            }
        }
    }
}
