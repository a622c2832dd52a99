"""Looking at a finished episode: a summary for the terminal, and one page with its pictures and curves."""
