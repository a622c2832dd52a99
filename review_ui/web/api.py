"""The JSON API: every route reads its body, asks the service, and writes down the answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import OperationalError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from review_ui.access import SignedOutError, reviewer_of
from review_ui.access.refusal import refusal
from review_ui.service import Assignment, NotAllowedError, Reviewer, StaleError
from review_ui.web.bodies import (
    AdjudicateBody,
    AnnotationsBody,
    BadRequestError,
    NextBody,
    Nothing,
    UndoBody,
    UndoLastBody,
    read_body,
)
from review_ui.web.context import ServerContext
from review_ui.web.documents import annotations_from, assignment_document, has_times, history_line, lease_document
from review_ui.web.recorded import Recorded, recorded
from teleloom.catalog import BadAnnotationError, CatalogError, LeaseHeldError, LeaseLostError, UnknownEpisodeError
from teleloom.config import Config
from teleloom.episode.reader import BadEpisodeError

PREFIX = "/teleloom/api"
NO_STORE = {"cache-control": "no-store"}


@dataclass(frozen=True)
class Call:
    """One request, understood. episode_id: "" where the path names none."""

    reviewer: Reviewer
    episode_id: str
    body: Any


Work = Callable[[ServerContext, Call], Response]


def api_routes(context: ServerContext) -> list[BaseRoute]:
    """The routes of the API under /teleloom/api."""
    episode = "/episodes/{id}"
    return [
        _route(context, "GET", "/me", _me),
        _route(context, "POST", "/next", _next, NextBody),
        _route(context, "POST", "/undo-last", _undo_last, UndoLastBody),
        _route(context, "GET", episode, _open),
        _route(context, "POST", f"{episode}/claim", _claim, Nothing),
        _route(context, "POST", f"{episode}/renew", _renew, Nothing),
        _route(context, "POST", f"{episode}/release", _release, Nothing),
        _route(context, "POST", f"{episode}/annotations", _annotate, AnnotationsBody),
        _route(context, "POST", f"{episode}/undo", _undo, UndoBody),
        _route(context, "POST", f"{episode}/adjudicate", _adjudicate, AdjudicateBody),
        Route(PREFIX + "/{rest:path}", _nothing_here, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
    ]


def _me(context: ServerContext, call: Call) -> Response:
    return _json({"name": call.reviewer.name, "role": call.reviewer.role})


def _next(context: ServerContext, call: Call) -> Response:
    body: NextBody = call.body
    found = context.service.next(call.reviewer, filter=body.filter, without=body.without, queue=body.queue)
    return _assignment(context, found) if found else Response(status_code=204, headers=NO_STORE)


def _open(context: ServerContext, call: Call) -> Response:
    return _assignment(context, context.service.open(call.reviewer, call.episode_id))


def _claim(context: ServerContext, call: Call) -> Response:
    return _assignment(context, context.service.claim(call.reviewer, call.episode_id))


def _renew(context: ServerContext, call: Call) -> Response:
    return _json(lease_document(context.service.renew(call.reviewer, call.episode_id), time.time_ns()))


def _release(context: ServerContext, call: Call) -> Response:
    context.service.release(call.reviewer, call.episode_id)
    return Response(status_code=204, headers=NO_STORE)


def _annotate(context: ServerContext, call: Call) -> Response:
    body: AnnotationsBody = call.body
    row = context.catalog.episode(call.episode_id)
    file = recorded(context.catalog, row) if has_times(body.annotations) else None
    annotations = annotations_from(body.annotations, file, row.duration_ns)
    answer = context.service.commit(call.reviewer, row.id, annotations, body.seen_revision, body.operation)
    return _assignment(context, answer)


def _undo(context: ServerContext, call: Call) -> Response:
    body: UndoBody = call.body
    answer = context.service.undo(call.reviewer, call.episode_id, body.seen_revision, body.revision, body.operation)
    return _assignment(context, answer)


def _undo_last(context: ServerContext, call: Call) -> Response:
    body: UndoLastBody = call.body
    return _assignment(context, context.service.undo_last(call.reviewer, body.operation))


def _adjudicate(context: ServerContext, call: Call) -> Response:
    body: AdjudicateBody = call.body
    answer = context.service.adjudicate(
        call.reviewer,
        call.episode_id,
        body.decision,
        body.reason,
        body.seen_revision,
        adopt=body.adopt,
        operation=body.operation,
    )
    return _assignment(context, answer)


def _nothing_here(request: Request) -> Response:
    return refusal(404, "not-found", f"the API has no {request.method} {request.url.path}")


def _assignment(context: ServerContext, assignment: Assignment) -> Response:
    reasons = context.service.config.rejection_reasons
    return _json(assignment_document(assignment, _readable(context, assignment), time.time_ns(), reasons))


def _readable(context: ServerContext, assignment: Assignment) -> Recorded | None:
    """None for a file that went bad: its episode can still be rejected."""
    try:
        return recorded(context.catalog, assignment.row)
    except BadEpisodeError:
        return None


def _json(document: Any) -> Response:
    return JSONResponse(document, headers=NO_STORE)


def _route(context: ServerContext, method: str, path: str, work: Work, model: type[Config] | None = None) -> BaseRoute:
    async def endpoint(request: Request) -> Response:
        try:
            body = await read_body(request, model) if model else None
            call = Call(reviewer_of(request), request.path_params.get("id", ""), body)
            return await run_in_threadpool(work, context, call)
        except KNOWN_ERRORS as error:
            return refused(error)

    return Route(PREFIX + path, endpoint, methods=[method])


KNOWN_ERRORS = (
    BadRequestError,
    SignedOutError,
    CatalogError,
    BadAnnotationError,
    BadEpisodeError,
    OperationalError,
)


def refused(error: Exception) -> Response:
    """The answer that says what was refused, why, and what to do."""
    match error:
        case StaleError():
            changed = [history_line(line) for line in error.changed]
            return refusal(409, "stale", str(error), revision=error.revision, changed=changed)
        case BadRequestError(status=status):
            return refusal(status, "bad-request", str(error))
        case OperationalError():
            return refusal(503, "unavailable", "the catalog's database does not answer; nothing was written, try again")
    for kind, status, name in REFUSALS:
        if isinstance(error, kind):
            return refusal(status, name, str(error))
    raise error


REFUSALS: tuple[tuple[type[Exception], int, str], ...] = (
    (SignedOutError, 401, "signed-out"),
    (LeaseHeldError, 409, "held"),
    (LeaseLostError, 409, "held"),
    (NotAllowedError, 403, "forbidden"),
    (UnknownEpisodeError, 404, "not-found"),
    (BadEpisodeError, 422, "bad-episode"),
    (BadAnnotationError, 400, "bad-request"),
    (CatalogError, 400, "bad-request"),
)
