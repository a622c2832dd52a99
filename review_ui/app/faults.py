"""What a reviewer sees when something went wrong: a sentence, never a traceback."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st
from sqlalchemy.exc import SQLAlchemyError

from review_ui.access.errors import AccessError
from review_ui.app.words import plain
from review_ui.web.context import NoServerError
from teleloom.catalog import BadAnnotationError, CatalogError
from teleloom.episode.reader import BadEpisodeError

REFUSALS = (AccessError, BadAnnotationError, BadEpisodeError, CatalogError, NoServerError)
"""Errors whose message is written for the reader: what was wrong, where, and the remedy."""

_log = logging.getLogger(__name__)


@contextmanager
def told() -> Iterator[None]:
    """Show a refusal of the block as a message in its place."""
    try:
        yield
    except REFUSALS as error:
        st.error(plain(str(error)), icon=":material/error:")


def on_script_error(error: Exception) -> bool:
    """Streamlit's hook for what no page foresaw: log it whole, show its name. True: Streamlit shows nothing itself."""
    if isinstance(error, REFUSALS):
        st.error(plain(str(error)), icon=":material/error:")
        return True
    _log.error("a page of the review failed", exc_info=error)
    if isinstance(error, SQLAlchemyError):
        st.error("The catalog's database does not answer. Nothing you did was lost; try again in a moment.")
    else:
        st.error(f"This page failed ({type(error).__name__}). The server's log says why; nothing you said was lost.")
    return True
