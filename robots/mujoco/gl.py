"""A GL context that draws off the screen, whatever was imported before and whether or not there is a display.

MuJoCo picks its own kind of context when it is first imported, which is too early for a library: so the context is
made here. On Linux MUJOCO_GL=egl or osmesa chooses; otherwise EGL is tried first (Debian: libegl1, libopengl0,
libgl1-mesa-dri) and OSMesa second (libosmesa6). Both draw on the CPU at the same speed.

Do not import TensorFlow into a process that draws: it and Mesa's software renderer each bring an LLVM, and together
they crash.
"""

from __future__ import annotations

import importlib
import os
import sys
from ctypes import ArgumentError
from typing import Any

from robots.contract import CameraError

_LINUX = ("egl", "osmesa")


def backends() -> tuple[str, ...]:
    """The kinds of context to try, in order."""
    if not sys.platform.startswith("linux"):
        return ("cgl", "glfw") if sys.platform == "darwin" else ("glfw",)
    asked = os.environ.get("MUJOCO_GL", "").strip().lower()
    return (asked,) if asked in _LINUX else _LINUX


def open_context(width: int, height: int) -> Any:
    """A context that is current in this thread; `free()` it here too.

    Raises CameraError naming what was tried and what to install.
    """
    faults = []
    for name in backends():
        try:
            context = importlib.import_module(f"mujoco.{name}").GLContext(width, height)
            context.make_current()
        except (ImportError, AttributeError, ArgumentError, OSError, RuntimeError) as error:
            faults.append(f"{name}: {' '.join(str(error).split())}")
        else:
            return context
    raise CameraError(
        f"cannot draw off the screen ({'; '.join(faults)}); install EGL (Debian: libegl1 libopengl0 "
        "libgl1-mesa-dri) or OSMesa (libosmesa6), or set MUJOCO_GL to the one that is there"
    )
