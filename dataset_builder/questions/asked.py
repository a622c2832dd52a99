"""What could be asked of an episode, and which of it is: even between answers, never the same thing over and over."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from dataset_builder.rules.questions import Kind

YES, NO = "Yes.", "No."
MAX_ALIKE = 4
"""Of questions about one thing with one answer, from one episode."""


@dataclass(frozen=True)
class Asked:
    """Something that can be asked at a step. subject: what it is about; wordings: ways to ask, all answered alike."""

    step: int
    subject: str
    wordings: tuple[str, ...]
    answer: str

    @property
    def is_yes_or_no(self) -> bool:
        """Whether the answer is one of the two."""
        return self.answer in (YES, NO)


@dataclass(frozen=True)
class Drawn:
    """A question that is asked."""

    kind: Kind
    step: int
    question: str
    answer: str


def yes_or_no(step: int, subject: str, holds: bool, if_so: Sequence[str], if_not: Sequence[str] = ()) -> list[Asked]:
    """A fact asked for as it is and, where there is a way to say so, by its contrary."""
    asked = [Asked(step, subject, tuple(if_so), YES if holds else NO)]
    if if_not:
        asked.append(Asked(step, f"not {subject}", tuple(if_not), NO if holds else YES))
    return asked


def draw(asked: dict[Kind, list[Asked]], count: int, seed: str) -> list[Drawn]:
    """At most `count` of what could be asked, kind after kind in turn; the same seed draws the same.

    Of the questions of a kind with yes and no for an answer, as many are answered either way, or one more.
    """
    orders = [
        [(kind, one) for one in _in_turn(options, random.Random(f"{seed} {kind}"))] for kind, options in asked.items()
    ]
    chosen = [one for turn in zip_longest(*orders) for one in turn if one is not None][:count]
    used: dict[tuple[str, ...], int] = defaultdict(int)
    drawn = []
    for kind, one in chosen:
        wordings = sorted(one.wordings, key=lambda text: random.Random(f"{seed} {text}").random())
        drawn.append(Drawn(kind, one.step, wordings[used[one.wordings] % len(wordings)], one.answer))
        used[one.wordings] += 1
    return sorted(drawn, key=lambda one: (one.step, one.kind, one.question))


def _in_turn(options: Iterable[Asked], chance: random.Random) -> list[Asked]:
    """All that may be asked of one kind, in the order in which it is taken."""
    groups: dict[tuple[str, str], list[Asked]] = defaultdict(list)
    for one in options:
        groups[one.subject, one.answer].append(one)
    for group in groups.values():
        chance.shuffle(group)
        del group[MAX_ALIKE:]
    open_ones = [group for group in groups.values() if not group[0].is_yes_or_no]
    sides = [[group for group in groups.values() if group[0].answer == answer] for answer in (YES, NO)]
    chance.shuffle(sides)
    paired = zip(*(_round_robin(side, chance) for side in sides), strict=False)
    lots = [list(_round_robin(open_ones, chance)), [one for pair in paired for one in pair]]
    return [one for turn in zip_longest(*lots) for one in turn if one is not None]


def _round_robin(groups: list[list[Asked]], chance: random.Random) -> Iterator[Asked]:
    chance.shuffle(groups)
    for turn in zip_longest(*groups):
        yield from (one for one in turn if one is not None)
