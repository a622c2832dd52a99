"""The bus between processes: msgpack messages over ZeroMQ, on loopback unless told otherwise and given keys.

`LatestPublisher`/`LatestSubscriber` where only the newest counts (poses), `StreamPublisher`/`StreamSubscriber` where
every message counts and a lost one is counted (recording), `ReliableSender`/`ReliableReceiver` where a message must
arrive, in order, from the one client in control (commands). Each belongs to one thread at a time.
"""

from teleloom.bus.zmq.receiver import ReliableReceiver
from teleloom.bus.zmq.security import Curve, InsecureAddressError, KeyPair
from teleloom.bus.zmq.sender import ControlRefusedError, NotDeliveredError, QueueFullError, ReliableSender
from teleloom.bus.zmq.streams import LatestPublisher, LatestSubscriber, StreamPublisher, StreamSubscriber
from teleloom.bus.zmq.wire import Faults

__all__ = [
    "ControlRefusedError",
    "Curve",
    "Faults",
    "InsecureAddressError",
    "KeyPair",
    "LatestPublisher",
    "LatestSubscriber",
    "NotDeliveredError",
    "QueueFullError",
    "ReliableReceiver",
    "ReliableSender",
    "StreamPublisher",
    "StreamSubscriber",
]
