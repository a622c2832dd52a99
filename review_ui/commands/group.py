"""The group of review commands; a first word that is none of them is the root folder to serve."""

from __future__ import annotations

from pathlib import Path

import click

SERVE = "serve"
HELP = ("--help", "-h")


class ReviewGroup(click.Group):
    """`teleloom review ROOT` is short for `teleloom review serve ROOT`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0].startswith("-") and args[0] not in HELP:
            args = [SERVE, *args]
        return super().parse_args(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name) or super().get_command(ctx, SERVE)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.commands:
            if not Path(args[0]).is_dir():
                known = ", ".join(sorted(self.commands))
                ctx.fail(f"'{args[0]}' is no folder, and no command either; the commands are: {known}")
            args = [SERVE, *args]
        return super().resolve_command(ctx, args)


@click.group(
    cls=ReviewGroup,
    epilog="\b\nExamples:\n  teleloom review demo-out/station                    review in the browser\n"
    "  teleloom review list demo-out/station --status unreviewed\n"
    "  teleloom review approve demo-out/station 0192f3c1 --by anna",
)
def review() -> None:
    """See what was recorded under a root folder, and say which episodes are good enough to train on.

    `teleloom review ROOT` opens it in the browser; the commands below do the same from the command line.

    Nothing that anyone says is ever overwritten: every verdict is an event with its author, and undo is one too. An
    EPISODE is given by its id or a beginning of it that fits no other. Who can open the catalog from here may do what
    a lead may.
    """
