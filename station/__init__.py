"""The top floor: the whole station at work, and the command line."""
