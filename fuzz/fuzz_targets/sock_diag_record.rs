//! One socket as the kernel reports it, of either transport: any bytes give a socket or a refusal.
#![no_main]

use lastack_model::facts::Transport;
use lastack_os::sock_diag;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|record: &[u8]| {
    for transport in [Transport::Tcp, Transport::Udp] {
        if let Ok(socket) = sock_diag::decode(transport, record) {
            assert_eq!(socket.transport, transport);
        }
    }
});
