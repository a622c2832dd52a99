"""What a manifest decides about episodes and steps: each rule with the keys that set it."""
