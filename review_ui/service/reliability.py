"""How far the reviewers agree where several judged the same episode without knowing the others' word."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_ui.agreement import BoundaryMatch, Level, TooLittleError, alpha, match_boundaries, segment_boundaries
from teleloom.catalog import AnnotationEvent, Catalog, Opinion, Verdict, VerdictRow, derive
from teleloom.clock import NS_PER_S
from teleloom.config import Config

DECISIONS = {"approve": 1.0, "reject": 0.0}

Judgements = Mapping[str, Sequence[Opinion]]  # per episode, the opinions that its reviewers came to on their own


class Coefficient(Config):
    """A figure of agreement. value: None where there is too little to tell, and then `reason` says what is missing.

    episodes, raters: how many it rests on, those with at least two opinions that count here.
    """

    value: float | None
    reason: str | None
    episodes: int
    raters: int


class Agreement(Config):
    """verdict: α, nominal, of approve or reject. score: α, interval, of the quality 1 to 5. boundaries: F1 of where
    segments begin and end, within `tolerance_s`, over all pairs of people who cut the same episode."""

    verdict: Coefficient
    score: Coefficient
    boundaries: Coefficient
    tolerance_s: float


def independent_opinions(events: Sequence[AnnotationEvent]) -> tuple[Opinion, ...]:
    """Each reviewer's opinion as it last was before they could see another's; () with fewer than two.

    Whoever has decided sees what others decided, so from the commit on that leaves two verdicts in force, those two
    no longer count as independent. A final verdict ends the judging.
    """
    frozen: dict[str, Opinion] = {}
    for end, event in enumerate(events, start=1):
        if isinstance(event.annotation, Verdict) and event.annotation.final:
            break
        if end < len(events) and _written_at_once(event, events[end]):
            continue  # Nobody saw what held in between.
        judges = {said.author for said in events[:end] if isinstance(said.annotation, Verdict)}
        if len(judges) < 2 or judges <= frozen.keys():
            continue  # No two opinions yet, or none that is new.
        view = derive(events[:end])
        if view.reviewers_wanted > 1 and len(view.opinions) > 1:
            frozen = {opinion.author: opinion for opinion in view.opinions} | frozen
    return tuple(frozen.values())


def independent_judgements(catalog: Catalog, verdicts: Sequence[VerdictRow]) -> dict[str, tuple[Opinion, ...]]:
    """Per episode that all who were wanted have judged, their independent opinions. verdicts: all there are."""
    given: dict[str, list[VerdictRow]] = {}
    for row in verdicts:
        given.setdefault(row.episode_id, []).append(row)
    views = catalog.views([episode_id for episode_id, rows in given.items() if len({row.author for row in rows}) > 1])
    judged: dict[str, tuple[Opinion, ...]] = {}
    for episode_id, view in views.items():
        if view.reviewers_wanted == 1 or view.status == "unreviewed" or len(view.opinions) < 2:
            continue
        if _ends_with_the_second(given[episode_id], view.revision):
            judged[episode_id] = view.opinions
        elif found := independent_opinions(catalog.history(episode_id)):
            judged[episode_id] = found
    return judged


def _ends_with_the_second(rows: Sequence[VerdictRow], revision: int) -> bool:
    """Whether the last event, at `revision`, is the first verdict by a second person: what holds then is what each
    said without knowing of the other."""
    newest = max(rows, key=lambda row: row.revision)
    others = {row.author for row in rows if row is not newest}
    last_and_second = newest.revision == revision and len(others) == 1 and newest.author not in others
    return last_and_second and not any(row.final for row in rows)


def agreement(judged: Judgements, tolerance_s: float) -> Agreement:
    """The figures over all episodes that were judged independently."""
    return Agreement(
        verdict=_alpha(judged, "nominal", lambda opinion: DECISIONS.get(opinion.decision)),
        score=_alpha(judged, "interval", lambda opinion: opinion.score),
        boundaries=_boundaries(judged, round(tolerance_s * NS_PER_S)),
        tolerance_s=tolerance_s,
    )


def agreement_with_others(judged: Judgements) -> dict[str, tuple[int, int]]:
    """Per reviewer: in how many pairs with another's verdict on the same episode both decided alike, and how many."""
    alike: dict[str, tuple[int, int]] = {}
    for opinions in judged.values():
        for one, other in combinations(opinions, 2):
            for author in (one.author, other.author):
                same, pairs = alike.get(author, (0, 0))
                alike[author] = (same + (one.decision == other.decision), pairs + 1)
    return alike


def _written_at_once(event: AnnotationEvent, following: AnnotationEvent) -> bool:
    return (event.author, event.wall_ns) == (following.author, following.wall_ns)


def _alpha(judged: Judgements, level: Level, rating_of: Callable[[Opinion], float | None]) -> Coefficient:
    ratings = [
        {opinion.author: rating for opinion in opinions if (rating := rating_of(opinion)) is not None}
        for opinions in judged.values()
    ]
    ratings = [by_author for by_author in ratings if len(by_author) > 1]
    raters = sorted({author for by_author in ratings for author in by_author})
    try:
        return _found(alpha(_table(ratings, raters), level), ratings, raters)
    except TooLittleError as error:
        return _too_little(str(error), ratings, raters)


def _table(ratings: Sequence[Mapping[str, float]], raters: Sequence[str]) -> NDArray[np.float64]:
    """(raters, episodes), NaN where a rater did not rate."""
    table = np.full((len(raters), len(ratings)), np.nan)
    for column, by_author in enumerate(ratings):
        for row, rater in enumerate(raters):
            table[row, column] = by_author.get(rater, np.nan)
    return table


def _boundaries(judged: Judgements, tolerance_ns: int) -> Coefficient:
    cut = [{opinion.author: _cuts(opinion) for opinion in opinions if opinion.segments} for opinions in judged.values()]
    cut = [by_author for by_author in cut if len(by_author) > 1]
    raters = sorted({author for by_author in cut for author in by_author})
    if not cut:
        return _too_little("no episode was cut into segments by two people", cut, raters)
    total = BoundaryMatch()
    for by_author in cut:
        for one, other in combinations(by_author.values(), 2):
            total += match_boundaries(one, other, tolerance_ns)
    return _found(total.f1, cut, raters)


def _cuts(opinion: Opinion) -> NDArray[np.int64]:
    return segment_boundaries((segment.start_ns, segment.end_ns) for segment in opinion.segments)


def _found(value: float, episodes: Sequence[Any], raters: Sequence[str]) -> Coefficient:
    return Coefficient(value=value, reason=None, episodes=len(episodes), raters=len(raters))


def _too_little(reason: str, episodes: Sequence[Any], raters: Sequence[str]) -> Coefficient:
    return Coefficient(value=None, reason=reason, episodes=len(episodes), raters=len(raters))
