"""`teleloom review`: the review in the browser, and all of it on the command line too."""

from review_ui.commands import annotate, listing, overlap, queue, serve, team, tokens, upkeep, verdicts
from review_ui.commands.group import review
from review_ui.commands.printing import short_ids

for module in (serve, listing, queue, verdicts, annotate, overlap, team, upkeep, tokens):
    for command in module.COMMANDS:
        review.add_command(command)

__all__ = ["review", "short_ids"]
