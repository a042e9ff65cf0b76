//! An end of smoltcp behind a wire in memory: an interface, one socket, octets in, octets out.

use crate::stack::Stack;
use lastack_model::state::State;
use lastack_model::tcp::moment::Moment;
use lastack_model::tcp::segment::{Control, Segment};
use lastack_model::tcp::seq::SeqNumber;
use lastack_model::tcp::world::Side;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{self, Device, DeviceCapabilities, Medium};
use smoltcp::socket::tcp;
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr, Ipv4Packet, TcpPacket};
use std::collections::VecDeque;

/// One end of smoltcp.
pub(crate) struct Smoltcp {
    interface: Interface,
    sockets: SocketSet<'static>,
    handle: SocketHandle,
    wire: Wire,
}

impl Smoltcp {
    fn socket(&mut self) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(self.handle)
    }

    fn poll(&mut self, now: Moment) {
        self.interface.poll(instant(now), &mut self.wire, &mut self.sockets);
    }
}

impl Stack for Smoltcp {
    const NAME: &'static str = "smoltcp";
    type Packet = Vec<u8>;

    fn opening(side: Side) -> Self {
        let mut wire = Wire::default();
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = side as u64 + 1;
        let mut interface = Interface::new(config, &mut wire, instant(Moment(0)));
        interface.update_ip_addrs(|addresses| {
            addresses.push(IpCidr::new(address(side), 24)).expect("room for an address");
        });
        let buffer = || tcp::SocketBuffer::new(vec![0; 64]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        // What is not delayed has fewer orders, and none that matters here.
        socket.set_ack_delay(None);
        socket.set_nagle_enabled(false);
        match side {
            Side::A => {
                let to = (address(Side::B), PORT);
                socket.connect(interface.context(), to, CLIENT_PORT).expect("a connection");
            }
            Side::B => socket.listen(PORT).expect("a listener"),
        }
        let mut sockets = SocketSet::new(Vec::new());
        let handle = sockets.add(socket);
        let mut end = Self { interface, sockets, handle, wire };
        end.poll(Moment(0));
        end
    }

    fn state(&self) -> State {
        match self.sockets.get::<tcp::Socket<'_>>(self.handle).state() {
            tcp::State::Closed => State::Closed,
            tcp::State::Listen => State::Listen,
            tcp::State::SynSent => State::SynSent,
            tcp::State::SynReceived => State::SynReceived,
            tcp::State::Established => State::Established,
            tcp::State::FinWait1 => State::FinWait1,
            tcp::State::FinWait2 => State::FinWait2,
            tcp::State::CloseWait => State::CloseWait,
            tcp::State::Closing => State::Closing,
            tcp::State::LastAck => State::LastAck,
            tcp::State::TimeWait => State::TimeWait,
        }
    }

    fn close(&mut self, now: Moment) {
        self.socket().close();
        self.poll(now);
    }

    fn abort(&mut self, now: Moment) {
        self.socket().abort();
        self.poll(now);
    }

    fn send(&mut self, now: Moment) {
        if self.socket().can_send() {
            self.socket().send_slice(b"x").expect("a socket that can send");
        }
        self.poll(now);
    }

    fn arrive(&mut self, now: Moment, packet: &Vec<u8>) {
        self.wire.arriving.push_back(packet.clone());
        self.poll(now);
        while self.socket().can_recv() {
            let taken = self.socket().recv(|octets| (octets.len(), octets.len()));
            taken.expect("a socket that can receive");
        }
        self.poll(now);
    }

    fn wake(&mut self, now: Moment) {
        self.poll(now);
    }

    fn wants_waking(&mut self, now: Moment) -> Option<Moment> {
        let at = self.interface.poll_at(instant(now), &self.sockets)?;
        Some(Moment(at.total_micros().cast_unsigned()).max(now))
    }

    fn departs(&mut self) -> Option<Vec<u8>> {
        self.wire.departing.pop_front()
    }

    fn read(packet: &Vec<u8>) -> Segment {
        let ip = Ipv4Packet::new_checked(packet.as_slice()).expect("an IPv4 packet");
        let tcp = TcpPacket::new_checked(ip.payload()).expect("a TCP segment");
        let flags =
            [(tcp.syn(), Control::SYN), (tcp.fin(), Control::FIN), (tcp.rst(), Control::RST)];
        let set = flags.into_iter().filter_map(|(set, bit)| set.then_some(bit));
        let ack = tcp.ack().then(|| SeqNumber(tcp.ack_number().0.cast_unsigned()));
        Segment {
            seq: SeqNumber(tcp.seq_number().0.cast_unsigned()),
            ack,
            control: set.fold(Control::NONE, Control::with),
            length: tcp.payload().len() as u32,
            window: u32::from(tcp.window_len()),
        }
    }
}

/// A link of which the walker holds both ends.
#[derive(Default)]
struct Wire {
    arriving: VecDeque<Vec<u8>>,
    departing: VecDeque<Vec<u8>>,
}

impl Device for Wire {
    type RxToken<'a> = Arriving;
    type TxToken<'a> = Departing<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Arriving, Departing<'_>)> {
        let packet = self.arriving.pop_front()?;
        Some((Arriving(packet), Departing(&mut self.departing)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Departing<'_>> {
        Some(Departing(&mut self.departing))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = 1500;
        capabilities
    }
}

struct Arriving(Vec<u8>);

impl phy::RxToken for Arriving {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, take: F) -> R {
        take(&self.0)
    }
}

struct Departing<'a>(&'a mut VecDeque<Vec<u8>>);

impl phy::TxToken for Departing<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        let mut packet = vec![0; length];
        let result = fill(&mut packet);
        self.0.push_back(packet);
        result
    }
}

fn address(side: Side) -> IpAddress {
    match side {
        Side::A => IpAddress::v4(192, 0, 2, 1),
        Side::B => IpAddress::v4(192, 0, 2, 2),
    }
}

fn instant(now: Moment) -> Instant {
    Instant::from_micros(now.0.cast_signed())
}

const PORT: u16 = 80;
const CLIENT_PORT: u16 = 50_000;
