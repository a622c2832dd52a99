"""Who may talk to a socket: anyone on this machine, and beyond it only peers whose CURVE keys are known."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Self

import zmq
from zmq.auth.thread import ThreadAuthenticator

from teleloom.messages import MAX_MESSAGE_BYTES


class InsecureAddressError(ValueError):
    """An address that other machines can reach, without keys; or keys that cannot work there."""


@dataclass(frozen=True)
class KeyPair:
    """One end's CURVE keys, 40 characters of Z85 each. The public one is given to the peers."""

    public: bytes
    secret: bytes

    def __repr__(self) -> str:
        return f"KeyPair(public={self.public!r})"

    @classmethod
    def generate(cls) -> Self:
        """A new random pair."""
        public, secret = zmq.curve_keypair()
        return cls(public=public, secret=secret)


@dataclass(frozen=True)
class Curve:
    """The keys of one end and the public keys it trusts.

    At the end that binds, `peers` are all who may come in. At an end that connects, `peers` holds exactly one key,
    that of the end that binds.
    """

    own: KeyPair
    peers: frozenset[bytes]


class Endpoint:
    """A socket with its own context, bound or connected only where that is safe.

    Its own context, because each holds one authenticator, and so that closing one endpoint never waits for another.
    linger_s: how long closing waits for a peer to take what was sent.
    """

    def __init__(self, kind: int, curve: Curve | None = None, linger_s: float = 0.0) -> None:
        self._curve = curve
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._authenticator: ThreadAuthenticator | None = None
        self.guard = _Guard(curve.peers if curve else frozenset())
        self.socket = self._context.socket(kind)
        self.socket.linger = round(linger_s * 1000)
        self.socket.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES)

    def bind(self, address: str) -> str:
        """Listen at `address`; returns the address with the port that was chosen when it ends in `:*` or `:0`.

        Raises InsecureAddressError when other machines can reach it and there are no keys.
        """
        self._check(address)
        if self._curve:
            self._authenticator = ThreadAuthenticator(self._context)
            self._authenticator.start()
            self._authenticator.configure_curve_callback(domain="*", credentials_provider=self.guard)
            self.socket.curve_server = True
            self._set_keys(self._curve.own)
        self.socket.bind(address)
        return self.socket.get_string(zmq.LAST_ENDPOINT).rstrip("\0")

    def connect(self, address: str) -> None:
        """Connect to `address`, now or as soon as somebody listens there.

        Raises InsecureAddressError when it is on another machine and there are no keys, or not exactly one peer.
        """
        self._check(address)
        if self._curve:
            if len(self._curve.peers) != 1:
                raise InsecureAddressError(f"{address}: to connect, name the one public key that answers there")
            (self.socket.curve_serverkey,) = self._curve.peers
            self._set_keys(self._curve.own)
        self.socket.connect(address)

    def close(self) -> None:
        """Close the socket and free what belongs to it. Closing twice does nothing."""
        self.socket.close()
        if self._authenticator:
            self._authenticator.stop()
            self._authenticator = None
        self._context.term()

    def _check(self, address: str) -> None:
        if not is_local(address) and not self._curve:
            raise InsecureAddressError(
                f"{address} can be reached from other machines: give CURVE keys (`curve=`), or use 127.0.0.1 or ipc://"
            )

    def _set_keys(self, own: KeyPair) -> None:
        self.socket.curve_publickey = own.public
        self.socket.curve_secretkey = own.secret


def is_local(address: str) -> bool:
    """Whether only this machine can be at the other end of `address`. Raises ValueError for an unknown transport."""
    transport, _, rest = address.partition("://")
    if transport == "ipc":
        return True
    if transport != "tcp":
        raise ValueError(f"{address}: the address must begin with tcp:// or ipc://")
    host = rest.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Guard:
    """Lets known public keys in and counts the others."""

    def __init__(self, peers: frozenset[bytes]) -> None:
        self._peers = peers
        self.refused = 0

    def callback(self, domain: str, key: bytes) -> bool:
        """What the authenticator asks, on its own thread: may the peer with this public key (Z85) come in?"""
        known = key in self._peers
        self.refused += not known
        return known
