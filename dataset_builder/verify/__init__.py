"""Reading a dataset back and holding it against its documents and its source."""
