"""The form in which something is refused over HTTP."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response


def refusal(status: int, kind: str, error: str, **more: Any) -> Response:
    """A JSON answer that says what was wrong; `kind` is for programs, `error` for people."""
    return JSONResponse({"error": error, "kind": kind, **more}, status, {"cache-control": "no-store"})
