"""From an operator's hand to a safe robot command."""
