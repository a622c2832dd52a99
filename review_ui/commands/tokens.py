"""`teleloom review token add | list | revoke`: who may sign in where more than this machine can connect."""

from __future__ import annotations

import functools
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import click

from review_ui.commands.options import Command, json_option, root_argument
from review_ui.commands.printing import print_json, print_table, when
from review_ui.service import Role
from teleloom.extras import require


@click.group(epilog="\b\nExample:\n  teleloom review token add demo-out/station anna --role lead")
def token() -> None:
    """Say who may sign in, when the review is served beyond this machine."""


def _on_tokens(command: Command) -> Command:
    """Give `command` the token store of ROOT, and turn what is refused into a message."""

    @root_argument
    @functools.wraps(command)
    def wrapped(root: Path, **options: Any) -> None:
        require("starlette", "review")
        access = import_module("review_ui.access")
        try:
            command(access.TokenStore(root), **options)
        except access.AccessError as error:
            raise click.ClickException(str(error)) from error

    return wrapped


@token.command(epilog="\b\nExample:\n  teleloom review token add demo-out/station anna --role lead")
@_on_tokens
@click.argument("name")
@click.option(
    "--role", type=click.Choice(get_args(Role)), default="annotator", show_default=True, help="What they may do."
)
@json_option
def add(store: Any, name: str, role: Role, as_json: bool) -> None:
    """Make a token for NAME and print it, this once: only its hash is kept."""
    secret = store.add(name, role)
    if as_json:
        print_json({"name": name, "role": role, "token": secret})
    else:
        click.echo(secret)


@token.command("list", epilog="\b\nExample:\n  teleloom review token list demo-out/station")
@_on_tokens
@json_option
def list_tokens(store: Any, as_json: bool) -> None:
    """List who has a token."""
    known = [{"name": each.name, "role": each.role, "created_wall_ns": each.created_wall_ns} for each in store.tokens()]
    if as_json:
        print_json(known)
    else:
        print_table(
            ("name", "role", "made (UTC)"),
            ((each["name"], each["role"], when(each["created_wall_ns"])) for each in known),
        )


@token.command(epilog="\b\nExample:\n  teleloom review token revoke demo-out/station anna")
@_on_tokens
@click.argument("name")
@json_option
def revoke(store: Any, name: str, as_json: bool) -> None:
    """End the token of NAME, and every session that it began."""
    store.revoke(name)
    if as_json:
        print_json({"revoked": name})
    else:
        click.echo(f"'{name}' can no longer sign in")


COMMANDS = (token,)
