//! The numbers that must never be mistaken for one another, each its own type.

use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
        #[cfg_attr(feature = "serde", serde(transparent))]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// A TCP or UDP port; 0 asks the kernel to choose.
    Port(u16)
}
number! {
    /// A process id, meaningful only beside the start time that makes it unique.
    Pid(u32)
}
number! {
    /// A numeric user id.
    Uid(u32)
}
number! {
    /// A socket's inode number: the link between a socket and the descriptors that hold it.
    Inode(u64)
}
number! {
    /// The kernel's 64-bit socket cookie: identifies one socket for its whole life.
    Cookie(u64)
}
number! {
    /// A network interface's index.
    InterfaceIndex(u32)
}
number! {
    /// The id of a version 2 control group.
    CgroupId(u64)
}
number! {
    /// The inode of a network namespace.
    NamespaceId(u64)
}

impl Port {
    /// True for the port that means "choose one for me".
    pub const fn is_any(self) -> bool {
        self.0 == 0
    }
}
