"""Reviewing episodes: what the recorder kept is approved, rejected and annotated here."""
