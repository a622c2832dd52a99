"""Which figures of an episode are compared with those of its like, which side is bad, and how a person is told."""

from __future__ import annotations

from dataclasses import dataclass

from teleloom.quality.corpus.robust import Side


@dataclass(frozen=True)
class Rule:
    """How one metric is judged.

    kind: of the reason that it gives. side: where it is bad to lie. floor: the least standard deviation that a group
    is taken to have, in the metric's unit (of its natural logarithm where `logarithmic`). said: what an outlier is,
    ending where "97% of 'stack' on panda" follows; `{source}` is the stream. number: how a value is written, after
    `label` and multiplied by `factor`. trust: the most weight that it can give by itself. source: the stream it is
    about, where the metric's name does not begin with one.
    """

    kind: str
    side: Side
    floor: float
    said: str
    number: str
    label: str = ""
    factor: float = 1.0
    trust: float = 1.0
    logarithmic: bool = False
    source: str = "robot"

    def compared(self, value: float, usual: float) -> str:
        """The value and the usual one as a person reads them."""
        written, others = (self.number.format(self.factor * figure) for figure in (value, usual))
        return f"{self.label}{written}, usual {others}"


RULES: dict[str, Rule] = {
    "sparc": Rule("jerky", "low", 0.15, "jerkier than", "{:.1f}", "SPARC "),
    "ldlj": Rule("jerky", "low", 0.4, "jerkier than", "{:.1f}", "LDLJ "),
    "shake_rad_s": Rule("jerky", "high", 0.02, "shakes more than", "{:.2f} rad/s", "above 2.5 Hz "),
    "path_efficiency": Rule("detour", "low", 0.05, "goes a longer way than", "{:.0f}%", "efficiency ", 100, 0.6),
    "idle_share": Rule("idle", "high", 0.06, "rests more than", "{:.0f}%", factor=100, trust=0.7),
    "idle_longest_s": Rule("idle", "high", 0.4, "rests longer at a stretch than", "{:.1f} s"),
    "jumps_robot": Rule("jump", "high", 1.0, "jumps more often than", "{:.0f} times"),
    "jumps_tick": Rule("jump", "high", 1.0, "is told to jump more often than", "{:.0f} times", source="tick"),
    "tracking_error_p95_rad": Rule("tracking", "high", 0.01, "is further from its command than", "{:.3f} rad"),
    "command_lag_s": Rule("lag", "high", 0.02, "follows its command later than", "{:.0f} ms", "", 1000, 0.6),
    "saturation_share": Rule("saturation", "high", 0.005, "is at a joint's speed limit more than", "{:.1f}%", "", 100),
    "interventions": Rule(
        "intervention", "high", 1.5, "needed the safety chain more often than", "{:.0f} times", trust=0.5, source="tick"
    ),
}

STREAM_RULES: dict[str, Rule] = {
    "drop_share": Rule("drops", "high", 0.005, "{source} lost more than", "{:.1f}% of the samples", "", 100),
    "jitter": Rule("timing", "high", 0.05, "{source} is less regular than", "{:.2f}", "jitter ", trust=0.5),
    "skew_p99_s": Rule("skew", "high", 0.01, "{source} lies further from the state than", "{:.0f} ms", "", 1000),
    "lag_s": Rule("skew", "both", 0.015, "{source} is more out of step with the arm than", "{:.0f} ms", "", 1000),
    "invalid_share": Rule("invalid-steps", "high", 0.01, "{source} leaves more steps empty than", "{:.1f}%", "", 100),
    "frozen_s": Rule("frozen", "high", 0.1, "{source} stands still longer in motion than", "{:.1f} s"),
    "sharpness": Rule("blur", "low", 0.2, "{source} is blurrier than", "{:.0f}", "sharpness ", logarithmic=True),
}


def rule_of(metric: str) -> tuple[Rule, str] | None:
    """The rule of a metric and the stream that it is about; None for one that is kept but not compared."""
    if metric in RULES:
        return RULES[metric], RULES[metric].source
    source, dot, name = metric.rpartition(".")
    return (STREAM_RULES[name], source) if dot and name in STREAM_RULES else None
