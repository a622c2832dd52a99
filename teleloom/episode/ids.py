"""Episode ids: UUIDv7 (RFC 9562), so that ids sort by the time at which their episodes began."""

from __future__ import annotations

import uuid

ENTROPY_BYTES = 10


def episode_id(wall_ns: int, entropy: bytes) -> str:
    """The UUIDv7 of an episode that began at `wall_ns` (ns since the Unix epoch).

    entropy: ENTROPY_BYTES bytes, from `os.urandom` on a real station or from a seed where a run must repeat exactly.
    """
    if len(entropy) != ENTROPY_BYTES:
        raise ValueError(f"entropy must be {ENTROPY_BYTES} bytes, not {len(entropy)}")
    raw = bytearray((wall_ns // 1_000_000).to_bytes(6, "big") + entropy)
    raw[6] = 0x70 | (raw[6] & 0x0F)
    raw[8] = 0x80 | (raw[8] & 0x3F)
    return str(uuid.UUID(bytes=bytes(raw)))
