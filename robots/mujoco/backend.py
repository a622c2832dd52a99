"""MuJoCo as the simulation imports it: untyped, and with an error that names its extra where it is missing."""

from __future__ import annotations

from typing import Any

from teleloom.extras import require

mujoco: Any = require("mujoco", "sim")
