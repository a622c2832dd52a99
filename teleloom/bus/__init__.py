"""How messages travel between the nodes of a station: in one process in lockstep, or between processes over ZeroMQ."""
