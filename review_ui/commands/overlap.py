"""`teleloom review overlap | disputes | adjudicate`: several people judge one episode, and a lead settles it."""

from __future__ import annotations

from typing import Literal

import click

from review_ui.commands.options import by_option, json_option, on_service, seen_option
from review_ui.commands.printing import print_json, print_table, short_ids, tell
from review_ui.service import Dispute, Reviewer, ReviewService


@click.command(epilog="\b\nExample:\n  teleloom review overlap demo-out/station --share 0.07 --by anna")
@on_service
@click.option("--share", type=click.FloatRange(0, 1), required=True, help="Of how many of the episodes, 0 to 1.")
@click.option(
    "--reviewers", type=click.IntRange(2, 5), default=2, show_default=True, help="How many people judge each."
)
@by_option
@json_option
def overlap(service: ReviewService, share: float, reviewers: int, reviewer: Reviewer, as_json: bool) -> None:
    """Have several people judge a share of the episodes, each without seeing what the others say.

    Which ones follows from their ids; those that somebody has spoken about or works on are left as they are.
    """
    asked = service.plan_overlap(reviewer, share, reviewers)
    tell(f"{len(asked)} more will be judged by {reviewers} people", asked, as_json)


@click.command(epilog="\b\nExample:\n  teleloom review disputes demo-out/station")
@on_service
@json_option
def disputes(service: ReviewService, as_json: bool) -> None:
    """List the episodes on which independent verdicts differ."""
    found = service.disputes()
    if as_json:
        print_json([dispute.model_dump() for dispute in found])
        return
    short = short_ids([row.id for row in service.catalog.episodes()])
    print_table(
        ("episode", "task", "verdicts"), ((short[each.row.id], each.row.task, _verdicts(each)) for each in found)
    )


@click.command(
    epilog="\b\nExample:\n  teleloom review adjudicate demo-out/station 0192f3c1 approve --adopt ben --by anna"
)
@on_service
@click.argument("episode")
@click.argument("decision", type=click.Choice(["approve", "reject"]))
@click.option("--reason", default="", help="Why; a rejection needs it.")
@click.option("--adopt", metavar="NAME", help="The reviewer whose trim, segments and score are to hold.")
@by_option
@seen_option
@json_option
def adjudicate(
    service: ReviewService,
    episode: str,
    decision: Literal["approve", "reject"],
    reason: str,
    adopt: str | None,
    reviewer: Reviewer,
    seen_revision: int | None,
    as_json: bool,
) -> None:
    """Settle an episode, whatever was said of it."""
    row = service.catalog.find(episode)
    seen = row.revision if seen_revision is None else seen_revision
    settled = service.adjudicate(reviewer, row.id, decision, reason, seen, adopt)
    tell(f"settled: {settled.view.status}", [row.id], as_json)


def _verdicts(dispute: Dispute) -> str:
    return "; ".join(
        f"{opinion.author}: {opinion.decision}" + (f" ({opinion.reason})" if opinion.reason else "")
        for opinion in dispute.opinions
    )


COMMANDS = (overlap, disputes, adjudicate)
