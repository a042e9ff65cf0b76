//! Netlink messages and attributes: any bytes end, and nothing is read twice or beyond the end.
#![no_main]

use lastack_os::netlink::{Attributes, Messages};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut read = 0;
    for message in Messages::of(bytes) {
        let Ok(message) = message else { break };
        read += message.payload.len();
        attributes(message.payload);
    }
    assert!(read <= bytes.len(), "{read} bytes of payload in {} bytes", bytes.len());
    attributes(bytes);
});

fn attributes(bytes: &[u8]) {
    let mut read = 0;
    for attribute in Attributes::of(bytes) {
        let Ok((_kind, value)) = attribute else { break };
        read += value.len();
    }
    assert!(read <= bytes.len(), "{read} bytes of values in {} bytes", bytes.len());
}
