"""Streams to journal to episode file: nothing that was taken is lost, and what is missing is counted."""
