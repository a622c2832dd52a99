"""`teleloom review rescan | rank | proxies`: what is derived from the episode files, made anew."""

from __future__ import annotations

from importlib import import_module

import click

from review_ui.commands.options import json_option, on_service
from review_ui.commands.printing import print_json
from review_ui.service import ReviewService
from teleloom.extras import require


@click.command(epilog="\b\nExample:\n  teleloom review rescan demo-out/station")
@on_service
@json_option
def rescan(service: ReviewService, as_json: bool) -> None:
    """Make the list of episodes anew from the files under ROOT; what was said about them stays."""
    report = service.catalog.rebuild()
    if as_json:
        print_json({"registered": report.registered, "removed": report.removed, "unreadable": report.unreadable})
    else:
        click.echo(f"{report.registered} episodes; {len(report.removed)} removed whose file is gone")
    if report.unreadable:
        raise click.ClickException("\n".join(report.unreadable.values()))


@click.command(epilog="\b\nExample:\n  teleloom review rank demo-out/station")
@on_service
@json_option
def rank(service: ReviewService, as_json: bool) -> None:
    """Compare every episode with all others of its task and robot, and order the queue by what stands out."""
    report = service.rank()
    if as_json:
        print_json(report.model_dump())
        return
    click.echo(f"{report.ranked} episodes ranked")
    for kind, times in sorted(report.reasons.items(), key=lambda item: -item[1]):
        click.echo(f"  {times:>6} {kind}")
    if report.without_quality:
        click.echo(f"{report.without_quality} without a quality verdict", err=True)


@click.command(epilog="\b\nExample:\n  teleloom review proxies demo-out/station")
@on_service
@json_option
def proxies(service: ReviewService, as_json: bool) -> None:
    """Make the videos that the browser plays, where they are missing; `serve` does it in the background."""
    require("av", "review")
    made = import_module("review_ui.proxies")
    catalog = service.catalog
    report = made.encode_missing(
        catalog,
        made.ProxyStore(catalog.root),
        lambda row, done, total: click.echo(f"{done + 1} of {total}: {row.id}", err=True),
    )
    if as_json:
        print_json({"encoded": report.encoded, "failed": report.failed})
    else:
        click.echo(f"{len(report.encoded)} made")
    if report.failed:
        raise click.ClickException("\n".join(f"{episode}: {why}" for episode, why in report.failed.items()))


COMMANDS = (rescan, rank, proxies)
