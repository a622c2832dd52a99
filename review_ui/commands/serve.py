"""`teleloom review ROOT`: the review in the browser."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import click

from review_ui.commands.options import catalog_option, root_argument
from teleloom.catalog import CatalogError
from teleloom.extras import require

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command(
    epilog="\b\nExamples:\n  teleloom review demo-out/station\n"
    "  teleloom review demo-out/station --host 0.0.0.0 --certificate review.pem --key review.key"
)
@root_argument
@catalog_option
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8501, show_default=True, help="0 takes a free one.")
@click.option("--as", "name", metavar="NAME", help="Who you are, where only this machine can connect; your login name.")
@click.option("--no-browser", is_flag=True, help="Do not open a browser.")
@click.option("--certificate", type=FILE, help="TLS certificate (PEM); needed when other machines can connect.")
@click.option("--key", type=FILE, help="The key of the certificate (PEM).")
@click.option("--behind-proxy", is_flag=True, help="A proxy on this machine does TLS; with --public-url.")
@click.option("--public-url", metavar="URL", help="The address in the browser, behind a proxy or for --oidc.")
@click.option("--oidc", type=FILE, help="Sign in at an identity provider: a YAML file, see docs/review-access.md.")
def serve(
    root: Path,
    url: str | None,
    host: str,
    port: int,
    name: str | None,
    no_browser: bool,
    certificate: Path | None,
    key: Path | None,
    behind_proxy: bool,
    public_url: str | None,
    oidc: Path | None,
) -> None:
    """Review what was recorded under ROOT in the browser. `teleloom review ROOT` is short for this.

    Only this machine can connect, without signing in. For others to connect, everyone needs a token, see `teleloom
    review token`, or --oidc, and the connection TLS.
    """
    for module in ("streamlit", "uvicorn", "av"):
        require(module, "review")
    binding = import_module("review_ui.access.binding").Binding(host, port, certificate, key, behind_proxy, public_url)
    server = import_module("review_ui.web.server")
    refusals = (CatalogError, server.PortTakenError, import_module("review_ui.access.errors").AccessError)
    try:
        server.serve(root, binding, catalog_url=url, name=name, oidc=oidc, browser=not no_browser)
    except refusals as error:
        raise click.ClickException(str(error)) from error


COMMANDS = (serve,)
