"""The app's pages over a real catalog, run without a browser by Streamlit's own AppTest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from service_rooms import Room
from streamlit.testing.v1 import AppTest

from review_ui.access.binding import Binding, policy
from review_ui.access.tokens import TokenStore
from review_ui.proxies import ProxyStore
from review_ui.service import Reviewer
from review_ui.web.context import ServerContext, install

TIMEOUT_S = 60


@contextmanager
def seated(room: Room, reviewer: Reviewer, unreadable: dict[str, str] | None = None) -> Iterator[ServerContext]:
    """This process serves `room`, and everybody is `reviewer`."""
    rules = replace(policy(Binding(), TokenStore(room.root), None, reviewer.name), everybody=reviewer)
    context = ServerContext(room.root, room.catalog, room.service, ProxyStore(room.root), rules, unreadable or {})
    install(context)
    try:
        yield context
    finally:
        install(None)


def opened(name: str, **address: str) -> AppTest:
    """The page `name`, drawn once, with this query in its address."""
    page = AppTest.from_function(_show, default_timeout=TIMEOUT_S, kwargs={"name": name})
    for key, value in address.items():
        page.query_params[key] = value
    return page.run()


def words(page: AppTest) -> str:
    """All text on the page."""
    elements = (
        page.title,
        page.header,
        page.subheader,
        page.markdown,
        page.caption,
        page.text,
        page.error,
        page.success,
    )
    labels = [f"{metric.label}: {metric.value}" for metric in page.metric]
    return "\n".join([element.value for kind in elements for element in kind] + labels + [b.label for b in page.button])


def _show(name: str) -> None:
    import importlib

    from review_ui.app import faults

    with faults.told():
        importlib.import_module(f"review_ui.app.pages.{name}").show()
