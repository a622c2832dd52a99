"""What goes into a dataset: which episodes, and what each of them holds."""
