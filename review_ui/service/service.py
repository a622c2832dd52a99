"""The service as one object: every way to review goes through it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal

from review_ui.service import adjudication, decisions, overlap, progress, ranking, reliability, telemetry
from review_ui.service.adjudication import Dispute
from review_ui.service.assignments import Assignment, page_as_seen_by
from review_ui.service.config import ReviewConfig
from review_ui.service.decisions import BulkResult
from review_ui.service.progress import Progress
from review_ui.service.queue import Queue
from review_ui.service.ranking import RankReport
from review_ui.service.reliability import Agreement
from review_ui.service.roles import Reviewer
from review_ui.service.telemetry import ReviewerFigures
from teleloom.catalog import Annotation, Catalog, EpisodeFilter, EpisodePage, Lease, Sort, Verdict
from teleloom.catalog import Queue as QueueName


class ReviewService:
    """What reviewers do with the episodes of one catalog. Safe to use from several threads and processes at once.

    Every write names the revision that was seen: where somebody spoke since, it raises StaleError, which says who and
    what, and nothing is written. `operation` is the caller's own id of one write: sent again, it changes nothing more.
    All methods raise UnknownEpisodeError for an id that is not in the catalog. now: wall time, ns since the Unix epoch.
    """

    def __init__(
        self, catalog: Catalog, config: ReviewConfig | None = None, now: Callable[[], int] = time.time_ns
    ) -> None:
        self.catalog = catalog
        self.config = config or ReviewConfig()
        self._now = now
        self._queue = Queue(catalog, self.config.lease_s)

    def next(
        self,
        reviewer: Reviewer,
        *,
        filter: EpisodeFilter | None = None,
        without: Collection[str] = (),
        queue: QueueName = "review",
    ) -> Assignment | None:
        """The reviewer's next episode, leased to them: one they hold already, else the riskiest. None: nothing waits.

        without: ids to leave out, those that were skipped or are preloaded. queue: "segments" has the approved
        episodes that nobody has cut yet.
        """
        return self._queue.next(reviewer, filter, without, queue)

    def open(self, reviewer: Reviewer, episode_id: str) -> Assignment:
        """The episode to look at, without taking it."""
        return self._queue.open(reviewer, episode_id)

    def claim(self, reviewer: Reviewer, episode_id: str) -> Assignment:
        """Take this very episode. Raises LeaseHeldError while somebody else has it."""
        return self._queue.claim(reviewer, episode_id)

    def renew(self, reviewer: Reviewer, episode_id: str) -> Lease:
        """Keep the episode for another while. Raises LeaseLostError when the lease has ended."""
        return self._queue.renew(reviewer, episode_id)

    def release(self, reviewer: Reviewer, episode_id: str) -> None:
        """Give the episode back; nothing happens without a lease."""
        self._queue.release(reviewer, episode_id)

    def search(
        self,
        reviewer: Reviewer,
        filter: EpisodeFilter | None = None,
        sort: Sort = "risk",
        offset: int = 0,
        limit: int = 50,
    ) -> EpisodePage:
        """A page of the episodes that match, each row with no more than the reviewer may know."""
        page = self.catalog.search(filter or EpisodeFilter(), sort, offset, limit)
        return page_as_seen_by(self.catalog, reviewer, page)

    def commit(
        self,
        reviewer: Reviewer,
        episode_id: str,
        annotations: Sequence[Annotation],
        seen_revision: int,
        operation: str | None = None,
    ) -> Assignment:
        """Say all of `annotations` or none. With a verdict the episode is given back: the work on it is done.

        Raises StaleError, BadAnnotationError, and NotAllowedError for what only a lead may say.
        """
        decisions.write(self.catalog, reviewer, episode_id, annotations, seen_revision, operation)
        if any(isinstance(annotation, Verdict) for annotation in annotations):
            self.release(reviewer, episode_id)
        return self.open(reviewer, episode_id)

    def undo(
        self,
        reviewer: Reviewer,
        episode_id: str,
        seen_revision: int,
        revision: int | None = None,
        operation: str | None = None,
    ) -> Assignment:
        """Take one event back: `revision`, or the newest in force that the reviewer wrote.

        Raises StaleError, NothingToUndoError, and NotAllowedError when an annotator names somebody else's word.
        """
        decisions.undo(self.catalog, reviewer, episode_id, seen_revision, revision, operation)
        return self.open(reviewer, episode_id)

    def undo_last(self, reviewer: Reviewer, operation: str | None = None) -> Assignment:
        """Take back the newest thing in force that the reviewer said, on whichever episode, and take that episode up
        again where nobody else has. Raises NothingToUndoError."""
        episode_id = decisions.undo_last(self.catalog, reviewer, operation)
        return self._queue.claim_if_free(reviewer, episode_id)

    def bulk(self, reviewer: Reviewer, seen: Mapping[str, int], annotations: Sequence[Annotation]) -> BulkResult:
        """Say the same of many episodes. seen: per episode the revision seen. What one refuses stops no other.

        Raises NotAllowedError when an annotator would decide on many at once.
        """
        return decisions.bulk(self.catalog, reviewer, seen, annotations)

    def plan_overlap(self, reviewer: Reviewer, share: float, reviewers: int = 2) -> tuple[str, ...]:
        """Have `reviewers` people judge about `share` (0 to 1) of the episodes, each without knowing the others' word.

        Returns the ids that this adds. The choice depends on the ids alone; what somebody has spoken about or works on
        is left as it is. Raises NotAllowedError for an annotator.
        """
        return overlap.plan_overlap(self.catalog, reviewer, share, reviewers)

    def disputes(self) -> list[Dispute]:
        """The episodes whose reviewers do not agree, oldest first."""
        return adjudication.disputes(self.catalog)

    def adjudicate(
        self,
        reviewer: Reviewer,
        episode_id: str,
        decision: Literal["approve", "reject"],
        reason: str,
        seen_revision: int,
        adopt: str | None = None,
        operation: str | None = None,
    ) -> Assignment:
        """Settle an episode, whatever was said of it. adopt: whose trim, segments and score are to hold.

        Raises StaleError, BadAnnotationError, and NotAllowedError for an annotator.
        """
        adjudication.adjudicate(self.catalog, reviewer, episode_id, decision, reason, seen_revision, adopt, operation)
        self.release(reviewer, episode_id)
        return self.open(reviewer, episode_id)

    def progress(self) -> Progress:
        """How far the team has come, and how long the rest takes at its pace."""
        return progress.progress(self.catalog, self._now())

    def reviewers(self) -> list[ReviewerFigures]:
        """Each reviewer's verdicts, speed, overturned verdicts and agreement with others, by name."""
        verdicts = self.catalog.verdicts()
        judged = reliability.independent_judgements(self.catalog, verdicts)
        return telemetry.reviewer_figures(verdicts, reliability.agreement_with_others(judged))

    def agreement(self) -> Agreement:
        """How far people agree where several judged the same episode without knowing the others' word."""
        judged = reliability.independent_judgements(self.catalog, self.catalog.verdicts())
        return reliability.agreement(judged, self.config.boundary_tolerance_s)

    def rank(self) -> RankReport:
        """Compute the risk of every episode among its like anew, and order the queue by it."""
        return ranking.rank_corpus(self.catalog)
