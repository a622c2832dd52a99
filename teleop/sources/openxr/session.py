"""A headless OpenXR session: every call to the runtime is made here, all of them from one thread."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from ctypes import POINTER, byref, c_void_p, cast, pointer
from types import TracebackType
from typing import Any, Self

from teleloom.clock import NS_PER_S, Clock
from teleloom.extras import require
from teleloom.messages import Pose, Vec3
from teleop.operator import OperatorError
from teleop.sources.newest import HANDS
from teleop.sources.openxr.bindings import ACTIONS, BINDINGS
from teleop.sources.openxr.frames import HandSample, XrSample

try:
    xr = require("xr", "xr")
except AttributeError:
    # pyopenxr looks up GLX when it is imported, headless or not, and stumbles over a library that is not there.
    raise OperatorError("OpenXR needs the system's GL library; on Debian: apt-get install libgl1") from None
log = logging.getLogger(__name__)

_EXTENSIONS = ("XR_MND_headless", "XR_KHR_convert_timespec_time")
_Flags = xr.SpaceLocationFlags
_LOCATED = int(_Flags.POSITION_VALID_BIT | _Flags.ORIENTATION_VALID_BIT)
_TRACKED = int(_Flags.POSITION_TRACKED_BIT | _Flags.ORIENTATION_TRACKED_BIT)
_STILL: Vec3 = (0.0, 0.0, 0.0)


class SessionLostError(OperatorError):
    """The runtime ended the session or went away."""


class OpenXrSession:
    """A context manager around instance, session, spaces and actions. One can live in a process at a time.

    reference_space: 'local' (moves when the operator recentres) or 'stage' (fixed to the room).
    Entering raises OperatorError when there is no runtime, no headset or no headless extension. Any method raises
    SessionLostError once the runtime has gone; the session is then of no more use.
    """

    def __init__(self, clock: Clock, reference_space: str) -> None:
        self._clock = clock
        self._space_type = getattr(xr.ReferenceSpaceType, reference_space.upper())
        self._stack = ExitStack()
        self._running = False
        self._space_changes: list[int] = []

    def __enter__(self) -> Self:
        with ExitStack() as stack, _operator_errors():
            self._instance = _create_instance(stack)
            self._session = _create_session(stack, self._instance)
            self._create_actions()
            self._create_spaces()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def runtime_name(self) -> str:
        """What the runtime calls itself."""
        with _operator_errors():
            return str(xr.get_instance_properties(self._instance).runtime_name.decode())

    def sample(self) -> XrSample:
        """Locate head and hands for now and read the controls."""
        with _operator_errors():
            t_ns = self._clock.now_ns()
            time = self._xr_time(t_ns)
            left, right = self._hands(time)
            head = self._locate(self._view, time).pose if self._running else None
            # Events come last: a recentring that these poses already show is then known.
            for event in self._events():
                self._handle(event)
            recentred = any(change <= time for change in self._space_changes)
            self._space_changes = [change for change in self._space_changes if change > time]
            return XrSample(t_ns=t_ns, left=left, right=right, head=head, recentred=recentred)

    def vibrate(self, hand: str, duration_ns: int, amplitude: float) -> None:
        """Let one controller vibrate, at the frequency its runtime prefers; nothing while none is running."""
        if not self._running:
            return
        info = xr.HapticActionInfo(action=self._actions["haptic"], subaction_path=self._hand_paths[hand])
        with _operator_errors():
            try:
                xr.apply_haptic_feedback(
                    self._session, info, xr.HapticVibration(duration=duration_ns, amplitude=amplitude)
                )
            except xr.SessionNotFocused:
                log.debug("no vibration: something else has the operator's input")

    def _create_actions(self) -> None:
        instance = self._instance
        self._action_set = xr.create_action_set(
            instance, xr.ActionSetCreateInfo(action_set_name="teleop", localized_action_set_name="Teleoperation")
        )
        self._hand_paths = {hand: xr.string_to_path(instance, f"/user/hand/{hand}") for hand in HANDS}
        self._actions = {
            name: xr.create_action(
                self._action_set,
                xr.ActionCreateInfo(
                    action_name=name,
                    localized_action_name=name.capitalize(),
                    action_type=getattr(xr.ActionType, kind),
                    subaction_paths=list(self._hand_paths.values()),
                ),
            )
            for name, kind in ACTIONS.items()
        }
        for profile, hands in BINDINGS.items():
            suggested = [
                xr.ActionSuggestedBinding(
                    self._actions[action], xr.string_to_path(instance, f"/user/hand/{hand}/{component}")
                )
                for hand, components in hands.items()
                for action, component in components.items()
            ]
            xr.suggest_interaction_profile_bindings(
                instance,
                xr.InteractionProfileSuggestedBinding(
                    interaction_profile=xr.string_to_path(instance, profile), suggested_bindings=suggested
                ),
            )
        xr.attach_session_action_sets(self._session, xr.SessionActionSetsAttachInfo(action_sets=[self._action_set]))
        self._sync_info = xr.ActionsSyncInfo(active_action_sets=[xr.ActiveActionSet(action_set=self._action_set)])
        self._get = {
            (name, hand): xr.ActionStateGetInfo(action=action, subaction_path=path)
            for name, action in self._actions.items()
            for hand, path in self._hand_paths.items()
        }

    def _create_spaces(self) -> None:
        upright = xr.Posef(orientation=xr.Quaternionf(0.0, 0.0, 0.0, 1.0))

        def reference(kind: Any) -> Any:
            return xr.create_reference_space(
                self._session, xr.ReferenceSpaceCreateInfo(reference_space_type=kind, pose_in_reference_space=upright)
            )

        self._base = reference(self._space_type)
        self._view = reference(xr.ReferenceSpaceType.VIEW)
        self._grips = {
            hand: xr.create_action_space(
                self._session,
                xr.ActionSpaceCreateInfo(
                    action=self._actions["grip"], subaction_path=path, pose_in_action_space=upright
                ),
            )
            for hand, path in self._hand_paths.items()
        }

    def _xr_time(self, t_ns: int) -> int:
        seconds, nanoseconds = divmod(t_ns, NS_PER_S)
        time = xr.convert_timespec_time_to_time_khr(self._instance, xr.timespec(seconds, nanoseconds))
        return int(time.value)

    def _hands(self, time: int) -> tuple[HandSample, HandSample]:
        if not (self._running and self._sync()):
            return HandSample(), HandSample()
        return self._hand("left", time), self._hand("right", time)

    def _sync(self) -> bool:
        """Whether the operator's input reaches this session."""
        try:
            xr.sync_actions(self._session, self._sync_info)
        except xr.SessionNotFocused:
            return False
        return True

    def _hand(self, hand: str, time: int) -> HandSample:
        if not self._state(xr.get_action_state_pose, "grip", hand).is_active:
            return HandSample()
        located = self._locate(self._grips[hand], time)
        stick = self._state(xr.get_action_state_vector2f, "stick", hand).current_state
        return HandSample(
            pose=located.pose,
            active=True,
            tracked=located.tracked,
            linear_velocity=located.linear_velocity,
            angular_velocity=located.angular_velocity,
            squeeze=self._state(xr.get_action_state_float, "squeeze", hand).current_state,
            trigger=self._state(xr.get_action_state_float, "trigger", hand).current_state,
            stick=(stick.x, stick.y),
            primary=bool(self._state(xr.get_action_state_boolean, "primary", hand).current_state),
            secondary=bool(self._state(xr.get_action_state_boolean, "secondary", hand).current_state),
        )

    def _state(self, getter: Callable[[Any, Any], Any], action: str, hand: str) -> Any:
        return getter(self._session, self._get[action, hand])

    def _locate(self, space: Any, time: int) -> HandSample:
        velocity = xr.SpaceVelocity()
        location = xr.SpaceLocation(next=cast(pointer(velocity), c_void_p))
        # The wrapped xr.locate_space has no room for velocities.
        _raise_unless_success(xr.raw_functions.xrLocateSpace(space, self._base, time, byref(location)))
        flags, moving = int(location.location_flags), velocity.velocity_flags
        p, q = location.pose.position, location.pose.orientation
        v, w = velocity.linear_velocity, velocity.angular_velocity
        pose: Pose = (p.x, p.y, p.z, q.x, q.y, q.z, q.w)
        return HandSample(
            pose=pose if flags & _LOCATED == _LOCATED else None,
            tracked=flags & _TRACKED == _TRACKED,
            linear_velocity=(v.x, v.y, v.z) if moving & xr.SpaceVelocityFlags.LINEAR_VALID_BIT else _STILL,
            angular_velocity=(w.x, w.y, w.z) if moving & xr.SpaceVelocityFlags.ANGULAR_VALID_BIT else _STILL,
        )

    def _events(self) -> Iterator[Any]:
        while True:
            try:
                yield xr.poll_event(self._instance)
            except xr.EventUnavailable:
                return

    def _handle(self, event: Any) -> None:
        kind = xr.StructureType(event.type)
        if kind == xr.StructureType.EVENT_DATA_INSTANCE_LOSS_PENDING:
            raise SessionLostError("the OpenXR runtime is about to end")
        if kind == xr.StructureType.EVENT_DATA_SESSION_STATE_CHANGED:
            changed = cast(byref(event), POINTER(xr.EventDataSessionStateChanged)).contents
            self._enter_state(xr.SessionState(changed.state))
        elif kind == xr.StructureType.EVENT_DATA_REFERENCE_SPACE_CHANGE_PENDING:
            pending = cast(byref(event), POINTER(xr.EventDataReferenceSpaceChangePending)).contents
            if xr.ReferenceSpaceType(pending.reference_space_type) == self._space_type:
                self._space_changes.append(int(pending.change_time))

    def _enter_state(self, state: Any) -> None:
        log.info("OpenXR session is %s", state.name)
        if state == xr.SessionState.READY:
            xr.begin_session(self._session, xr.SessionBeginInfo())
            self._running = True
        elif state == xr.SessionState.STOPPING:
            self._running = False
            xr.end_session(self._session)
        elif state in (xr.SessionState.LOSS_PENDING, xr.SessionState.EXITING):
            raise SessionLostError(f"the OpenXR runtime ended the session ({state.name.lower()})")


def _create_instance(stack: ExitStack) -> Any:
    offered = {properties.extension_name.decode() for properties in xr.enumerate_instance_extension_properties()}
    missing = [extension for extension in _EXTENSIONS if extension not in offered]
    if missing:
        raise OperatorError(
            f"the OpenXR runtime does not offer {' and '.join(missing)}, without which poses cannot be read "
            "headless and on this machine's clock; use a runtime that has them, such as Monado, WiVRn or SteamVR"
        )
    instance = xr.create_instance(
        xr.InstanceCreateInfo(
            application_info=xr.ApplicationInfo(application_name="teleloom", engine_name="teleloom"),
            enabled_extension_names=list(_EXTENSIONS),
        )
    )
    stack.callback(_destroy, xr.destroy_instance, instance)
    return instance


def _create_session(stack: ExitStack, instance: Any) -> Any:
    session = xr.create_session(instance, xr.SessionCreateInfo(system_id=xr.get_system(instance)))
    stack.callback(_destroy, xr.destroy_session, session)
    return session


def _destroy(destroy: Callable[[Any], None], handle: Any) -> None:
    try:
        destroy(handle)
    except xr.ErrorResult as error:
        log.debug("the runtime has gone, nothing to release: %s", error)


def _raise_unless_success(result: Any) -> None:
    checked = xr.check_result(result)
    if checked.is_exception():
        raise checked


@contextmanager
def _operator_errors() -> Iterator[None]:
    """Runtime errors as OperatorErrors that say what to do."""
    try:
        yield
    except (xr.InstanceLostError, xr.SessionLostError, xr.SessionLossPending) as error:
        raise SessionLostError("the OpenXR runtime went away; it is looked for again until it is back") from error
    except (xr.RuntimeUnavailableError, xr.RuntimeFailureError) as error:
        raise OperatorError(
            "no OpenXR runtime answers; start one (Monado, WiVRn, SteamVR) as this user, and set XR_RUNTIME_JSON to "
            "its manifest unless it is the active runtime"
        ) from error
    except xr.FormFactorUnavailableError as error:
        raise OperatorError("the OpenXR runtime sees no headset; connect it, wake it and put it on") from error
    except xr.LimitReachedError as error:
        raise OperatorError("an OpenXR session is open in this process already; close it first") from error
    except xr.ErrorResult as error:
        raise OperatorError(f"the OpenXR runtime refused: {error}") from error
