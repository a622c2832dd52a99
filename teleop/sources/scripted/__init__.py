"""A scripted operator: eyes, habits and a trembling hand that work through a task's plan."""
