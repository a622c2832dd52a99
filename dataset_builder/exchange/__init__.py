"""Datasets of other projects: theirs become reviewable episodes, ours become theirs; what is lost is said."""
