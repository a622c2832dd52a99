"""What an action means, as data, and how one meaning becomes another."""
