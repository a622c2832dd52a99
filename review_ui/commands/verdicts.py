"""`teleloom review approve | reject | undo | bulk`: decide, and change one's mind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from review_ui.commands.options import by_option, filter_options, json_option, on_service, seen_option
from review_ui.commands.printing import print_json, tell
from review_ui.service import NothingToUndoError, Reviewer, ReviewService
from review_ui.service.pages import all_rows
from teleloom.catalog import Annotation, EpisodeFilter, EpisodeRow, Verdict, parse
from teleloom.catalog.view import in_force


@click.command(epilog="\b\nExample:\n  teleloom review approve demo-out/station 0192f3c1 --by anna")
@on_service
@click.argument("episodes", nargs=-1, metavar="[EPISODE]...")
@click.option("--all-unreviewed", is_flag=True, help="Approve every episode that nobody has decided on.")
@by_option
@seen_option
@json_option
def approve(
    service: ReviewService,
    episodes: tuple[str, ...],
    all_unreviewed: bool,
    reviewer: Reviewer,
    seen_revision: int | None,
    as_json: bool,
) -> None:
    """Let episodes into datasets."""
    if bool(episodes) == all_unreviewed:
        raise click.UsageError("name the episodes to approve, or give --all-unreviewed")
    _check_seen(episodes, seen_revision)
    if all_unreviewed:
        rows = list(all_rows(service.catalog, EpisodeFilter(statuses=("unreviewed",))))
    else:
        rows = [service.catalog.find(prefix) for prefix in episodes]
    _decide(service, reviewer, rows, Verdict(decision="approve"), seen_revision)
    tell("approved", [row.id for row in rows], as_json)


@click.command(epilog="\b\nExample:\n  teleloom review reject demo-out/station 0192f3c1 --by anna --reason 'cube fell'")
@on_service
@click.argument("episodes", nargs=-1, required=True, metavar="EPISODE...")
@click.option("--reason", required=True, help="Why it must not be trained on.")
@by_option
@seen_option
@json_option
def reject(
    service: ReviewService,
    episodes: tuple[str, ...],
    reason: str,
    reviewer: Reviewer,
    seen_revision: int | None,
    as_json: bool,
) -> None:
    """Keep episodes out of datasets, for a reason."""
    _check_seen(episodes, seen_revision)
    rows = [service.catalog.find(prefix) for prefix in episodes]
    verdict = parse({"kind": "verdict", "decision": "reject", "reason": reason})
    _decide(service, reviewer, rows, verdict, seen_revision)
    tell("rejected", [row.id for row in rows], as_json)


@click.command(epilog="\b\nExample:\n  teleloom review undo demo-out/station 0192f3c1 --by anna")
@on_service
@click.argument("episode")
@click.option("--revision", type=click.IntRange(min=1), help="The event to take back; without it, the newest in force.")
@by_option
@seen_option
@json_option
def undo(
    service: ReviewService,
    episode: str,
    revision: int | None,
    reviewer: Reviewer,
    seen_revision: int | None,
    as_json: bool,
) -> None:
    """Take back one thing that was said about an episode."""
    row = service.catalog.find(episode)
    if revision is None:
        said = in_force(service.catalog.history(row.id))
        if not said:
            raise NothingToUndoError(f"episode {row.id}: nothing was said about it that could be taken back")
        revision = said[-1].revision
    service.undo(reviewer, row.id, row.revision if seen_revision is None else seen_revision, revision)
    tell(f"revision {revision} taken back; now {service.catalog.view(row.id).status}", [row.id], as_json)


@click.command(
    epilog="\b\nExamples:\n  teleloom review bulk demo-out/station --task stack --quality good --approve --by anna\n"
    "  teleloom review bulk demo-out/station --operator ben --add-tag ben --by anna --dry-run"
)
@on_service
@filter_options
@click.option("--approve", is_flag=True, help="Let them into datasets.")
@click.option("--reject", metavar="REASON", help="Keep them out of datasets, for this reason.")
@click.option("--add-tag", metavar="TAG", help="Tag them.")
@click.option("--remove-tag", metavar="TAG", help="Take this tag off.")
@click.option("--weight", type=click.FloatRange(0, 1000), help="How often they count in training; 1 is as recorded.")
@click.option("--note", metavar="TEXT", help="Words for other people.")
@click.option("--dry-run", is_flag=True, help="Only say which episodes it would be.")
@by_option
@json_option
def bulk(
    service: ReviewService, filter: EpisodeFilter, dry_run: bool, reviewer: Reviewer, as_json: bool, **said: Any
) -> None:
    """Say the same of all episodes that match; one that somebody speaks about meanwhile is left out and named."""
    annotations = _annotations(**said)
    if not annotations:
        raise click.UsageError("say what to do: --approve, --reject, --add-tag, --remove-tag, --weight or --note")
    seen = {row.id: row.revision for row in all_rows(service.catalog, filter)}
    if dry_run:
        tell("would be changed", list(seen), as_json)
        return
    result = service.bulk(reviewer, seen, annotations)
    if as_json:
        print_json(result.model_dump())
    else:
        tell("changed", result.done, as_json=False)
    if result.refused:
        raise click.ClickException("\n".join(result.refused.values()))


def _annotations(
    approve: bool,
    reject: str | None,
    add_tag: str | None,
    remove_tag: str | None,
    weight: float | None,
    note: str | None,
) -> list[Annotation]:
    if approve and reject is not None:
        raise click.UsageError("give --approve or --reject, not both")
    said: list[dict[str, object]] = []
    if add_tag is not None:
        said.append({"kind": "tag", "tag": add_tag})
    if remove_tag is not None:
        said.append({"kind": "tag", "tag": remove_tag, "action": "remove"})
    if weight is not None:
        said.append({"kind": "weight", "weight": weight})
    if note is not None:
        said.append({"kind": "note", "text": note})
    if approve:
        said.append({"kind": "verdict", "decision": "approve"})
    if reject is not None:
        said.append({"kind": "verdict", "decision": "reject", "reason": reject})
    return [parse(each) for each in said]


def _decide(
    service: ReviewService,
    reviewer: Reviewer,
    rows: Sequence[EpisodeRow],
    verdict: Annotation,
    seen_revision: int | None,
) -> None:
    for row in rows:
        service.commit(reviewer, row.id, [verdict], row.revision if seen_revision is None else seen_revision)


def _check_seen(episodes: Sequence[str], seen_revision: int | None) -> None:
    if seen_revision is not None and len(episodes) != 1:
        raise click.UsageError("--seen-revision is of one episode: name that one alone")


COMMANDS = (approve, reject, undo, bulk)
