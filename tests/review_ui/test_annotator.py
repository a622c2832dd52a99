"""What an annotator does in the app by keys alone is in the catalog exactly, and the files stay as they were."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from annotator import Annotator, Review, newest_frames, plan_review
from marked_episodes import MARKED_CAMERAS, START_NS, make_id, write_marked
from playwright.sync_api import Browser, expect
from review_server import running_review

from review_ui.proxies import ProxyStore, encode_missing
from teleloom.catalog import (
    Annotation,
    Catalog,
    EpisodeView,
    Flag,
    InstructionEdit,
    Opinion,
    OutcomeEdit,
    Score,
    Segment,
    Segmentation,
    Trim,
    Undo,
    Verdict,
)
from teleloom.episode.meta import Instruction
from teleloom.episode.reader import EpisodeReader
from teleloom.quality import assess

SECONDS = 2.6
LONGER_S = 2.5
SPOKEN = "Put the lemon into the bowl."


def make_root(root: Path, episodes: int, seconds: float, cameras: int) -> dict[str, str]:
    """Marked episodes, entered and assessed; returns the SHA-256 of each file."""
    with Catalog.open(root) as catalog:
        for number in range(episodes):
            path = write_marked(root, number, seconds=seconds, cameras=cameras)
            with EpisodeReader(path) as reader:
                catalog.register(path, assess(reader).model_dump(mode="json"))
    return hashes(root)


def hashes(root: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (root / "episodes").iterdir()}


@pytest.mark.parametrize("episodes", [4, pytest.param(10, marks=pytest.mark.long)])
def test_episodes_reviewed_by_keys_alone_are_in_the_catalog_exactly(
    tmp_path: Path, chromium: Browser, episodes: int
) -> None:
    files = make_root(tmp_path, episodes, SECONDS, cameras=1)
    plans = {make_id(number): plan_review(number, SECONDS) for number in range(episodes)}
    with running_review(tmp_path) as server:
        annotator = Annotator(chromium, SECONDS)
        annotator.begin(server.url)
        counted = {}
        episode = None
        while len(counted) < episodes:
            episode = annotator.arrived(after=episode)
            counted[episode] = review_one(annotator, episode, plans[episode])
            assert annotator.overflow() <= 0
        expect(annotator.page.get_by_text(f"Done: {episodes} episodes")).to_be_visible()
        assert annotator.complaints == []
        annotator.context.close()
    with Catalog.open(tmp_path) as catalog:
        assert {row.id for row in catalog.episodes()} == plans.keys()
        for each, review in plans.items():
            history = catalog.history(each)
            assert [untimed(event.annotation) for event in history] == said(annotator, review, counted[each])
            assert {event.author for event in history} == {"anna"}
            assert all(event.wall_ns > 0 for event in history)
            decided_ns = [event.wall_ns for event in history if event.annotation.kind == "verdict"][-1]
            assert catalog.view(each) == expected_view(annotator, review, len(history), decided_ns)
        assert catalog.leases.held() == []
    assert hashes(tmp_path) == files


def review_one(annotator: Annotator, episode: str, review: Review) -> tuple[int, int]:
    """Say all of it; returns what counted before the trim."""
    counted = annotator.say(review)
    annotator.watch()
    if review.undone:
        annotator.decide("approve" if review.decision == "reject" else "reject", "collision")
        annotator.until(f"teleloomPlayer.episode !== {episode!r}")
        annotator.take_back(episode)
        annotator.watch()
    annotator.decide(review.decision, review.reason)
    annotator.until(f"teleloomPlayer.episode !== {episode!r}")
    return counted


def test_the_next_episode_begins_with_its_own_first_pictures(tmp_path: Path, chromium: Browser) -> None:
    make_root(tmp_path, 4, LONGER_S, cameras=3)
    with Catalog.open(tmp_path) as catalog:
        assert not encode_missing(catalog, ProxyStore(tmp_path)).failed
    with running_review(tmp_path) as server:
        annotator = Annotator(chromium, LONGER_S)
        annotator.begin(server.url)
        seen = {annotator.arrived()}
        for _ in range(3):
            found = annotator.reject_and_time()
            number = next(each for each in range(4) if make_id(each) == found["episode"])
            frames = newest_frames(MARKED_CAMERAS, found["tNs"], LONGER_S)
            places = {name: place for place, name in enumerate(sorted(MARKED_CAMERAS))}
            assert found["marks"] == {name: mark(frame, places[name], number) for name, frame in frames.items()}
            seen.add(found["episode"])
        assert seen == {make_id(number) for number in range(4)}
        assert annotator.complaints == []
        annotator.context.close()


def mark(frame: int, camera: int, episode: int) -> dict[str, int]:
    """What a picture says, or a blank one where the camera had seen nothing yet."""
    found = (frame, camera, episode) if frame >= 0 else (-1, -1, -1)
    return dict(zip(("frame", "camera", "episode"), found, strict=True))


def said(annotator: Annotator, review: Review, counted: tuple[int, int]) -> list[Annotation]:
    """What the keys say, in their order. A trim's other end is the one that counted before."""
    start_ns, end_ns = span(annotator, review.trim)
    before_ns = START_NS + counted[1]
    edits: list[Annotation] = [Trim(start_ns=start_ns, end_ns=before_ns)]
    if before_ns != end_ns:
        edits.append(Trim(start_ns=start_ns, end_ns=end_ns))
    for action, wording in (("replace", review.correction), ("add", review.paraphrase)):
        if wording is not None:
            edits.append(InstructionEdit(action=action, text=wording[0], language=wording[1]))
    edits += splits(annotator, review)
    edits += flags(annotator, review)
    edits += [OutcomeEdit(outcome=review.outcome), Score(score=review.score)]
    if review.undone:
        wrong = "approve" if review.decision == "reject" else "reject"
        edits.append(Verdict(decision=wrong, reason="collision" if wrong == "reject" else ""))
        edits.append(Undo(revision=len(edits)))
    return [*edits, Verdict(decision=review.decision, reason=review.reason)]


def splits(annotator: Annotator, review: Review) -> list[Segmentation]:
    """Each split cuts the last segment in two, both labelled as before; then the first of them gets its label."""
    start_ns, end_ns = span(annotator, review.trim)
    usual = review.correction[0] if review.correction else SPOKEN
    done: list[Segment] = []
    versions = []
    for part in review.parts[:-1]:
        assert part.last is not None
        border_ns = START_NS + annotator.times_ns[part.last]
        cut = Segment(start_ns=start_ns, end_ns=border_ns, label=usual)
        rest = Segment(start_ns=border_ns, end_ns=end_ns, label=usual)
        versions.append(Segmentation(segments=(*done, cut, rest)))
        done.append(cut.model_copy(update={"label": part.label, "outcome": part.outcome}))
        versions.append(Segmentation(segments=(*done, rest)))
        start_ns = border_ns
    return versions


def flags(annotator: Annotator, review: Review) -> list[Flag]:
    marked = {"mistake": span(annotator, review.mistake), "intervention": span(annotator, review.intervention)}
    return [Flag(label=label, start_ns=start, end_ns=end) for label, (start, end) in marked.items()]


def span(annotator: Annotator, frames: tuple[int, int]) -> tuple[int, int]:
    """When the first camera saw these frames, CLOCK_MONOTONIC."""
    first, last = (START_NS + annotator.times_ns[frame] for frame in frames)
    return first, last


def untimed(annotation: Annotation) -> Annotation:
    """The annotation without the seconds spent, which must be some."""
    if not isinstance(annotation, Verdict):
        return annotation
    assert annotation.spent_s is not None
    assert 0 < annotation.spent_s < 600
    return annotation.model_copy(update={"spent_s": None})


def expected_view(annotator: Annotator, review: Review, revision: int, decided_wall_ns: int) -> EpisodeView:
    segments = splits(annotator, review)[-1].segments
    status = {"approve": "approved", "reject": "rejected"}[review.decision]
    corrected, other = review.correction, review.paraphrase
    opinion = Opinion(
        author="anna",
        decision=review.decision,
        reason=review.reason,
        score=review.score,
        outcome=review.outcome,
        trim=span(annotator, review.trim),
        segments=segments,
        revision=revision,
    )
    return EpisodeView(
        revision=revision,
        status=status,
        reason=review.reason,
        decided_by="anna",
        decided_wall_ns=decided_wall_ns,
        instruction=Instruction(text=corrected[0], language=corrected[1], spoken=True) if corrected else None,
        paraphrases=(Instruction(text=other[0], language=other[1]),),
        outcome=review.outcome,
        score=review.score,
        trim=opinion.trim,
        segments=segments,
        flags=tuple(sorted(flags(annotator, review), key=lambda flag: (flag.start_ns, flag.end_ns, flag.label))),
        opinions=(opinion,),
    )
