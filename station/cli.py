"""The `teleloom` command: a group whose commands are found through entry points and imported only when used."""

from __future__ import annotations

import click

from teleloom import __version__, plugins
from teleloom.extras import MissingExtraError

EPILOG = """\b
Examples:
  teleloom demo                              the whole path on a simulated arm
  teleloom record my-station --task put-in-bowl
  teleloom build my-station --name kitchen --version 1.0.0 --out datasets
"""


class PluginGroup(click.Group):
    """Commands from the `teleloom.commands` entry points. One that cannot be loaded is named and hides no other."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return plugins.names("teleloom.commands")

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        try:
            command = plugins.load("teleloom.commands", cmd_name)
        except plugins.PluginError as error:
            return _unavailable(cmd_name, str(error))
        if not isinstance(command, click.Command):
            return _unavailable(cmd_name, f"the entry point of '{cmd_name}' is not a click command")
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except MissingExtraError as error:
            raise click.ClickException(str(error)) from None


def _unavailable(name: str, reason: str) -> click.Command:
    @click.command(
        name, short_help="(not available here)", help=reason, context_settings={"ignore_unknown_options": True}
    )
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def command(arguments: tuple[str, ...]) -> None:
        raise click.ClickException(reason)

    return command


@click.group(cls=PluginGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="teleloom")
def main() -> None:
    """Collect, review and build the demonstrations that train vision-language-action models."""
