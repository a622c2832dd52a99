"""What the API takes: bodies of a bounded size, in JSON, of a known form."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal, NoReturn, TypeVar

from pydantic import Field, StringConstraints, ValidationError
from starlette.requests import Request

from teleloom.catalog import EpisodeFilter
from teleloom.config import Config, describe

MAX_BODY_BYTES = 256 * 1024

EpisodeId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
OperationId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,100}$")]
Revision = Annotated[int, Field(ge=0, lt=2**31)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]


class BadRequestError(ValueError):
    """A request that cannot be understood. status: that of the answer."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Nothing(Config):
    """A body without content."""


class NextBody(Config):
    """Which episode comes next. without: those that were skipped or are preloaded."""

    queue: Literal["review", "segments"] = "review"
    without: Annotated[tuple[EpisodeId, ...], Field(max_length=1000)] = ()
    filter: EpisodeFilter | None = None


class AnnotationsBody(Config):
    """A commit: all of `annotations` or none, each a dict with its `kind`."""

    operation: OperationId
    seen_revision: Revision
    annotations: Annotated[tuple[dict[str, Any], ...], Field(min_length=1, max_length=100)]


class UndoBody(Config):
    """Takes one event back; without a revision the newest in force of one's own."""

    operation: OperationId
    seen_revision: Revision
    revision: Annotated[int, Field(ge=1, lt=2**31)] | None = None


class UndoLastBody(Config):
    """Takes back the newest thing one said, on whichever episode."""

    operation: OperationId


class AdjudicateBody(Config):
    """Settles an episode. adopt: whose trim, segments and score are to hold."""

    operation: OperationId
    seen_revision: Revision
    decision: Literal["approve", "reject"]
    reason: Reason = ""
    adopt: Annotated[str, Field(min_length=1, max_length=100)] | None = None


BodyT = TypeVar("BodyT", bound=Config)


async def read_body(request: Request, model: type[BodyT]) -> BodyT:
    """The body as a `model`; an empty one counts as {}. Raises BadRequestError."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise BadRequestError(f"send the body as application/json, not as {kind or 'nothing'}", 415)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise BadRequestError(f"a body has at most {MAX_BODY_BYTES} bytes", 413)
    try:
        return model.model_validate(_parse(bytes(body)))
    except ValidationError as error:
        raise BadRequestError(f"the body does not fit:\n{describe(error, model)}") from None


def _parse(body: bytes) -> Any:
    try:
        content = json.loads(body, parse_constant=_no_constant) if body.strip() else {}
    except (ValueError, RecursionError) as error:
        raise BadRequestError(f"the body is not JSON: {error}") from None
    for text in _texts(content):
        if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
            raise BadRequestError(f"{text!r} has a character that no database keeps")
    return content


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict | list):
        for item in [*content, *content.values()] if isinstance(content, dict) else content:
            yield from _texts(item)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"JSON has no {name}")
