"""The topics between the nodes of a station, besides the streams of an episode."""

SESSION = "session"
"""From control to the recorder: begin, keep, discard."""
REPORT = "recorder"
"""From the recorder to all: its status, what began and ended, what it refused."""
