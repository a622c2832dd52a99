"""The checks of times: streams that are late, silent or lossy, and cameras that are missing or far from any state."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from teleloom.quality.checked import Checked
from teleloom.quality.config import QualityConfig
from teleloom.quality.recording import Recording
from teleloom.quality.report import Severity
from teleloom.quality.spans import densest, time_spans
from teleloom.quality.timing import StreamTiming, gaps_longer_than, holes, nearest_distance

Times = NDArray[np.int64]


def check_timing(recording: Recording, config: QualityConfig) -> Checked:
    """Rate, jitter, losses and silences of the robot, the control loop and every camera."""
    checked = Checked()
    control = {
        name: columns["t_ns"] for name, columns in {"robot": recording.robot, "tick": recording.tick}.items() if columns
    }
    cameras = {f"cameras/{name}": t_ns for name, t_ns in recording.cameras.items()}
    for source, t_ns in (control | cameras).items():
        timing = recording.timing[source]
        _measure_timing(checked, source, timing, t_ns, config.apart_s)
        warning_s, fault_s = config.gap_warning_s, config.gap_fault_s
        if source in cameras:
            periods = config.camera_gap_periods / timing.rate_hz if timing.rate_hz else 0.0
            warning_s = max(config.camera_gap_warning_s, periods)
            fault_s = max(config.camera_gap_fault_s, periods)
        bounded = np.concatenate(([recording.start_ns], t_ns, [recording.end_ns]))
        for start, end in gaps_longer_than(bounded, warning_s):
            silence = (end - start) / 1e9
            severity: Severity = "fault" if silence > fault_s else "warning"
            checked.say("gap", severity, (start, end), f"{source} is silent for {silence:.2f} s", source)
        if timing.drop_share > config.drop_warning_share:
            severity = "fault" if timing.drop_share > config.drop_fault_share else "warning"
            message = f"{source} lost {timing.drops} samples of {timing.samples + timing.drops}; most of them here"
            checked.say("drops", severity, checked.evidence[f"{source}.drops"], message, source)
    return checked


def _measure_timing(checked: Checked, source: str, timing: StreamTiming, t_ns: Times, apart_s: float) -> None:
    start_ns, end_ns, lost = holes(t_ns)
    lossy = densest(start_ns, end_ns, lost, apart_s) if len(lost) else None
    worst = (timing.worst_gap_at_ns, timing.worst_gap_at_ns + timing.worst_gap_ns) if timing.worst_gap_ns else None
    checked.measure(f"{source}.rate_hz", timing.rate_hz)
    checked.measure(f"{source}.jitter", timing.jitter, worst)
    checked.measure(f"{source}.drops", float(timing.drops), lossy)
    checked.measure(f"{source}.drop_share", timing.drop_share, lossy)


def check_cameras(recording: Recording, config: QualityConfig) -> Checked:
    """Cameras that the episode promises and does not have, and frames far from any robot state."""
    checked = Checked()
    whole = (recording.start_ns, recording.end_ns)
    for spec in recording.meta.cameras:
        if spec.codec == "jpeg" and not len(recording.cameras.get(spec.name, ())):
            checked.say("no-camera", "fault", whole, f"camera '{spec.name}' has no frame", f"cameras/{spec.name}")
    reference = recording.robot.get("t_ns", np.empty(0, dtype=np.int64))
    if not len(reference):
        return checked
    reference = np.sort(reference)
    for name, t_ns in recording.cameras.items():
        if not len(t_ns):
            continue
        skew = nearest_distance(t_ns, reference) / 1e9
        farthest = int(np.argmax(skew))
        around = int(t_ns[max(0, farthest - 1)]), int(t_ns[min(len(t_ns) - 1, farthest + 1)])
        checked.measure(f"cameras/{name}.skew_p99_s", float(np.percentile(skew, 99)), around)
        far = skew > config.skew_warning_s
        for span in time_spans(far, t_ns, at_least_s=config.sustained_s):
            message = f"camera '{name}': frames lie up to {1000 * skew.max():.0f} ms from the robot's state"
            checked.say("skew", "warning", span, message, f"cameras/{name}")
    return checked
