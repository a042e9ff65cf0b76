//! Our own end under the walker's schedules, by the rules of Linux.

use crate::stack::Stack;
use lastack_model::state::State;
use lastack_model::tcp::endpoint::Endpoint;
use lastack_model::tcp::moment::Moment;
use lastack_model::tcp::profile::Profile;
use lastack_model::tcp::segment::Segment;
use lastack_model::tcp::seq::SeqNumber;
use lastack_model::tcp::world::Side;

impl Stack for Endpoint {
    const NAME: &'static str = "lastack";
    type Packet = Segment;

    fn opening(side: Side) -> Self {
        let mut end = Self::new(Profile::LINUX, 65_535);
        match side {
            Side::A => end.open(Moment(0), SeqNumber(0)),
            Side::B => end.listen(),
        }
        end
    }

    fn state(&self) -> State {
        self.tcb.state
    }

    fn close(&mut self, now: Moment) {
        Self::close(self, now);
    }

    fn abort(&mut self, now: Moment) {
        Self::abort(self, now);
    }

    fn send(&mut self, now: Moment) {
        Self::send(self, now, 1);
    }

    fn arrive(&mut self, now: Moment, packet: &Segment) {
        self.handle_segment(now, packet, SeqNumber(5000));
        self.tcb.read();
    }

    fn wake(&mut self, now: Moment) {
        self.handle_timeout(now);
    }

    fn wants_waking(&mut self, _: Moment) -> Option<Moment> {
        self.next_timeout()
    }

    fn departs(&mut self) -> Option<Segment> {
        self.poll_transmit()
    }

    fn read(packet: &Segment) -> Segment {
        *packet
    }
}
