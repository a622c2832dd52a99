"""HTML that is whole in one file: everything from outside is escaped, and a page may load and run nothing."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


class Html(str):
    """Text that is HTML already. Anything else is escaped where it is put into a page."""

    __slots__ = ()


def text(value: object) -> Html:
    """`value` as HTML: itself if it is Html, else its text, escaped."""
    return value if isinstance(value, Html) else Html(html.escape(str(value)))


def join(parts: Iterable[object], between: str = "") -> Html:
    """The parts one after another, each as HTML."""
    return Html(between.join(text(part) for part in parts))


def tag(name: str, *children: object, **attributes: object) -> Html:
    """`<name attributes>children</name>`; `class_` is class, `_` in a name is `-`; an attribute of None is left out."""
    return Html(f"<{name}{_written(attributes)}>{join(children)}</{name}>")


def image(data_url: str, alt: str) -> Html:
    """A picture that is inside the page."""
    return Html(f"<img{_written({'alt': alt, 'src': data_url})}>")


def _written(attributes: Mapping[str, object]) -> str:
    return "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )


def table(head: Sequence[object], rows: Iterable[Sequence[object]], numeric: Iterable[int] = ()) -> Html:
    """A table; the columns in `numeric` are set to the right. A cell that is Html goes in as it is."""
    right = frozenset(numeric)

    def cells(kind: str, row: Sequence[object]) -> Html:
        return join(tag(kind, cell, class_="num" if i in right else None) for i, cell in enumerate(row))

    body = join((tag("tr", cells("td", row)) for row in rows), "\n")
    return tag("div", tag("table", tag("thead", tag("tr", cells("th", head))), tag("tbody", body)), class_="scroll")


def facts(pairs: Iterable[tuple[str, object]]) -> Html:
    """A list of names and values, those without a value left out."""
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs if value), class_="facts")


def section(title: str, *children: object, note: object = "") -> Html:
    """A part of a page with its heading and one line under it."""
    return tag("section", tag("h2", title), tag("p", note, class_="aside") if note else "", *children)


def style(*sheets: str) -> Html:
    """The named style sheets of this package, one after another."""
    package = files("teleloom.pages")
    return Html("".join(package.joinpath(sheet).read_text(encoding="utf-8") for sheet in sheets))


def page(title: str, *body: object) -> str:
    """A whole document: inline style, light and dark, no scripts, nothing loaded from anywhere."""
    sheets = style("theme.css", "page.css", "charts.css")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(POLICY)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{html.escape(title)}</title>\n<style>\n{sheets}</style>\n</head>\n"
        f"<body>\n<main>\n{join(body, chr(10))}\n</main>\n</body>\n</html>\n"
    )
