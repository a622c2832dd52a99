"""How late is the arm? From a hand's pose leaving the headset to `robot.command`, through a real OpenXR runtime.

Monado, the control loop at 200 Hz and the simulated Panda run in real time on this machine; the operator traces
figures of eight. The baseline is the longest that a pose can wait for the next look at the runtime and the next tick
if computing took no time at all, so a ratio of 1 says that nothing but waiting is left.

    python benchmarks/openxr_latency.py            # the first run installs Monado below .cache/
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

HARNESS = Path(__file__).resolve().parents[1] / "tests" / "openxr"
LOOK_HZ = (90.0, 250.0)
TICK_HZ = 200.0


def main() -> None:
    sys.path.insert(0, str(HARNESS))
    import monado

    print("            sent -> command    located -> command             tick         followed, RMS")
    print("looks Hz   p50 ms   p99 ms     p50 ms   p99 ms    p50 ms   p99 ms         mm      deg")
    worst = []
    for rate_hz in LOOK_HZ:
        seen = monado.run(HARNESS / "drive_arm.py", "follow", json.dumps({"rate_hz": rate_hz}), timeout_s=60)
        worst.append(seen["send_to_command_p99_ms"])
        times = [seen[f"{name}_p{p}_ms"] for name in ("send_to_command", "locate_to_command", "tick") for p in (50, 99)]
        columns = "{:8.0f} {:8.2f} {:8.2f}   {:8.2f} {:8.2f}  {:8.2f} {:8.2f}   {:8.2f} {:8.2f}"
        print(columns.format(rate_hz, *times, seen["rms_mm"], seen["rms_deg"]))
    baseline = 1e3 / LOOK_HZ[0] + 1e3 / TICK_HZ
    result = {
        "name": "openxr_pose_to_command_p99",
        "figure": round(worst[0], 2),
        "unit": "ms",
        "baseline": round(baseline, 2),
        "ratio": round(worst[0] / baseline, 3),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
