"""Statistics of the train split, the ways of scaling by them, and actions as tokens."""
