"""`teleloom review progress | reviewers | agreement`: how far the team is, and how far it can be trusted."""

from __future__ import annotations

from typing import get_args

import click

from review_ui.commands.options import json_option, on_service
from review_ui.commands.printing import print_json, print_table
from review_ui.service import Coefficient, ReviewService
from teleloom.catalog import Status


@click.command(epilog="\b\nExample:\n  teleloom review progress demo-out/station")
@on_service
@json_option
def progress(service: ReviewService, as_json: bool) -> None:
    """Show what is decided, what waits, and how long that will take."""
    state = service.progress()
    if as_json:
        print_json(state.model_dump())
        return
    statuses = get_args(Status)
    counted = {"all": state.by_status} | state.by_task
    print_table(
        ("task", *statuses),
        ((task, *(str(by_status.get(status, 0)) for status in statuses)) for task, by_status in counted.items()),
    )
    print_table(("day (UTC)", "verdicts"), ((day, str(verdicts)) for day, verdicts in state.days.items()))
    for name, verdicts in state.today.items():
        click.echo(f"today {name}: {verdicts}")
    if state.left_s is not None:
        pace = f"at {state.seconds_per_verdict:.0f} s each"
        click.echo(f"{state.waiting} wait: {state.left_s / 3600:.1f} h for one person, {pace}")


@click.command(epilog="\b\nExample:\n  teleloom review reviewers demo-out/station")
@on_service
@json_option
def reviewers(service: ReviewService, as_json: bool) -> None:
    """Show each reviewer's verdicts, how fast they came, and how well they lasted."""
    figures = service.reviewers()
    if as_json:
        print_json([each.model_dump() for each in figures])
        return
    print_table(
        ("who", "verdicts", "approved", "median", "p90", "overturned", "like others"),
        (
            (
                each.name,
                str(each.verdicts),
                str(each.approved),
                _seconds(each.seconds_median),
                _seconds(each.seconds_p90),
                f"{each.overturn_rate:.1%}",
                "" if each.agreement is None else f"{each.agreement:.0%} of {each.compared}",
            )
            for each in figures
        ),
    )


@click.command(epilog="\b\nExample:\n  teleloom review agreement demo-out/station")
@on_service
@json_option
def agreement(service: ReviewService, as_json: bool) -> None:
    """Show how far people agree where several judged the same episode independently."""
    found = service.agreement()
    if as_json:
        print_json(found.model_dump())
        return
    figures = (
        ("verdict", "Krippendorff's α, nominal", found.verdict),
        ("score", "Krippendorff's α, interval", found.score),
        ("boundaries", f"F1 within {found.tolerance_s:g} s", found.boundaries),
    )
    print_table(
        ("of", "figure", "value", "episodes", "people"),
        ((of, figure, _value(each), str(each.episodes), str(each.raters)) for of, figure, each in figures),
    )


def _value(coefficient: Coefficient) -> str:
    return f"{coefficient.value:.3f}" if coefficient.value is not None else str(coefficient.reason)


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"


COMMANDS = (progress, reviewers, agreement)
