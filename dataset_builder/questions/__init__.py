"""Questions with their answers, and plans: what a model is trained on beside the actions."""
