"""Drawing a scene: state in, JPEG frames out. A renderer lives in one thread, which owns its GL context."""

from __future__ import annotations

import copy
import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from robots.contract import CameraError
from robots.mujoco.arm import load_arm
from robots.mujoco.backend import mujoco
from robots.mujoco.gl import open_context
from robots.mujoco.scene import Scene, build_scene, stain_name
from robots.mujoco.shadows import Shadows
from robots.mujoco.simulation import Snapshot
from robots.mujoco.tasks import make_task
from robots.mujoco.viewpoints import default_cameras
from teleloom.messages import CameraFrame
from teleloom.specs import CameraSpec

_HIDDEN_GROUPS = (3, 4, 5)
_MAX_GEOMS = 600
_OFF = ("mjRND_SHADOW", "mjRND_REFLECTION", "mjRND_HAZE")


class FrameRenderer:
    """Draws one scene through its cameras. Make, use and close it in the same thread.

    Raises CameraError where no GL context can be made.
    """

    def __init__(self, scene: Scene, cameras: Sequence[CameraSpec]) -> None:
        self._model = copy.copy(scene.model)
        self._data = mujoco.MjData(self._model)
        self._cameras = {camera.name: camera for camera in cameras}
        self._seq = dict.fromkeys(self._cameras, 0)
        self._stains = [int(self._model.geom(stain_name(i)).id) for i in range(len(scene.layout.stains))]
        self._alpha = self._model.geom_rgba[self._stains, 3].copy()
        self._shadows = Shadows(scene)
        self._option = mujoco.MjvOption()
        for group in _HIDDEN_GROUPS:
            self._option.geomgroup[group] = 0
        self._view = mujoco.MjvCamera()
        self._view.type, self._view.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, 0
        self._drawing = mujoco.MjvScene(self._model, maxgeom=_MAX_GEOMS)
        for flag in _OFF:
            self._drawing.flags[int(getattr(mujoco.mjtRndFlag, flag))] = 0
        self._gl, self._context = self._open(cameras)
        self._posed: Snapshot | None = None

    def draw(self, snapshot: Snapshot, names: Sequence[str]) -> list[CameraFrame]:
        """One encoded frame per named camera, in that order, stamped with the snapshot's time."""
        self._pose_scene(snapshot)
        return [self._encode(name, self._pixels(name), snapshot.t_ns) for name in names]

    def close(self) -> None:
        """Release the GL context. Safe to call twice."""
        if self._gl is not None:
            self._context.free()
            self._gl.free()
            self._gl = None

    def _open(self, cameras: Sequence[CameraSpec]) -> tuple[Any, Any]:
        width = max((camera.width for camera in cameras), default=1)
        height = max((camera.height for camera in cameras), default=1)
        self._model.vis.global_.offwidth, self._model.vis.global_.offheight = width, height
        gl = open_context(width, height)
        context = mujoco.MjrContext(self._model, int(mujoco.mjtFontScale.mjFONTSCALE_50))
        mujoco.mjr_setBuffer(int(mujoco.mjtFramebuffer.mjFB_OFFSCREEN), context)
        return gl, context

    def _pose_scene(self, snapshot: Snapshot) -> None:
        """Lay the scene as the snapshot has it, unless it lies so already: cameras of one rate ask one by one."""
        if self._posed is not None and snapshot.same_as(self._posed):
            return
        self._posed = snapshot
        self._data.qpos[:] = snapshot.qpos
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_comPos(self._model, self._data)
        mujoco.mj_camlight(self._model, self._data)
        self._model.geom_rgba[self._stains, 3] = self._alpha * snapshot.dirt
        mujoco.mjv_updateScene(
            self._model, self._data, self._option, None, self._view, int(mujoco.mjtCatBit.mjCAT_ALL), self._drawing
        )
        self._shadows.cast(self._data, self._drawing)

    def _pixels(self, name: str) -> NDArray[np.uint8]:
        """(height, width, 3), first row at the top."""
        if name not in self._cameras:
            raise CameraError(f"no camera '{name}'; there are: {', '.join(self._cameras)}")
        camera = self._cameras[name]
        self._view.fixedcamid = int(self._model.camera(name).id)
        mujoco.mjv_updateCamera(self._model, self._data, self._view, self._drawing)
        area = mujoco.MjrRect(0, 0, camera.width, camera.height)
        pixels = np.empty((camera.height, camera.width, 3), dtype=np.uint8)
        mujoco.mjr_render(area, self._drawing, self._context)
        mujoco.mjr_readPixels(pixels, None, area, self._context)
        return pixels[::-1]

    def _encode(self, name: str, pixels: NDArray[np.uint8], t_ns: int) -> CameraFrame:
        camera = self._cameras[name]
        data = simplejpeg.encode_jpeg(
            np.ascontiguousarray(pixels), quality=camera.jpeg_quality, colorspace="RGB", colorsubsampling="420"
        )
        seq, self._seq[name] = self._seq[name], self._seq[name] + 1
        return CameraFrame(
            t_ns=t_ns, seq=seq, camera=name, codec="jpeg", width=camera.width, height=camera.height, data=data
        )


class RenderThread:
    """A FrameRenderer in a thread of its own, joined at close: physics never waits for GL unless it asks to."""

    def __init__(self, scene: Scene, cameras: Sequence[CameraSpec]) -> None:
        self._jobs: queue.SimpleQueue[tuple[Snapshot, tuple[str, ...], Future[list[CameraFrame]]] | None]
        self._jobs = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, args=(scene, tuple(cameras)), name="render")
        self._thread.start()

    def submit(self, snapshot: Snapshot, names: Sequence[str]) -> Future[list[CameraFrame]]:
        """Draw the snapshot through the named cameras; the future's result is the frames, in that order."""
        future: Future[list[CameraFrame]] = Future()
        if not self._thread.is_alive():
            raise CameraError("the render thread is closed; open the camera again")
        self._jobs.put((snapshot, tuple(names), future))
        return future

    def close(self) -> None:
        """Finish what was submitted, release the GL context and join. Safe to call twice."""
        self._jobs.put(None)
        self._thread.join()

    def _work(self, scene: Scene, cameras: tuple[CameraSpec, ...]) -> None:
        renderer: FrameRenderer | None = None
        while (job := self._jobs.get()) is not None:
            snapshot, names, future = job
            if not future.set_running_or_notify_cancel():
                continue
            try:
                renderer = renderer or FrameRenderer(scene, cameras)
                future.set_result(renderer.draw(snapshot, names))
            # Whatever went wrong, the one who waits for the frames must hear of it.
            except Exception as error:
                future.set_exception(error)
        if renderer is not None:
            renderer.close()


class SceneRenderer:
    """Draws a station's scene in any process: built from the station's own parameters, so it draws the same scene."""

    def __init__(self, robot: str, task: str, seed: int, cameras: Sequence[CameraSpec] | None = None) -> None:
        scene, specs = scene_of(robot, task, seed, cameras)
        self.cameras = specs
        self._names = tuple(camera.name for camera in specs)
        self._renderer = FrameRenderer(scene, specs)

    def render(self, qpos: NDArray[np.float64], visual: NDArray[np.float64], t_ns: int) -> list[CameraFrame]:
        """One frame per camera. qpos, visual: `qpos` and `dirt` of a Snapshot."""
        return self._renderer.draw(Snapshot(t_ns, qpos, visual), self._names)

    def close(self) -> None:
        """Release the GL context."""
        self._renderer.close()


def scene_of(
    robot: str, task: str, seed: int, cameras: Sequence[CameraSpec] | None = None
) -> tuple[Scene, tuple[CameraSpec, ...]]:
    """The scene and the cameras of these station parameters; the same in any process."""
    arm = load_arm(robot)
    specs = default_cameras(arm) if cameras is None else tuple(cameras)
    return build_scene(arm, make_task(task, seed).layout, specs), specs
