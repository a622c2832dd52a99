"""What every answer tells the browser to refuse."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)

# Nothing on the sign-in pages comes from anywhere, and they run no script.
BARE_PAGE = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"


def app_policy(index: Path) -> str:
    """The Content-Security-Policy of the app. index: Streamlit's page, whose own inline scripts may run.

    Components bring their script as a blob, and styles are written into the page; no other inline script runs, and
    nothing is evaluated.
    """
    scripts = _INLINE_SCRIPT.findall(index.read_text(encoding="utf-8"))
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts)
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' blob: {hashes}".rstrip(),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "media-src 'self' blob:",
            "worker-src 'self' blob:",
            "connect-src 'self'",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


def security_headers(content_policy: str) -> Mapping[str, str]:
    """The headers of every answer.

    The referrer stays with the same origin rather than with nobody: without it browsers send forms with the origin
    "null", which cannot be told from a foreign one.
    """
    return {
        "content-security-policy": content_policy,
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
    }


def adding(headers: Mapping[str, str], send: Send) -> Send:
    """`send`, with these headers on every answer that does not set them itself."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            sent = MutableHeaders(scope=message)
            for name, value in headers.items():
                sent.setdefault(name, value)
        await send(message)

    return sending
