"""Which control of which OpenXR controller does what: one table an interaction profile."""

from __future__ import annotations

from teleop.sources.newest import HANDS

# Actions by name, with their OpenXR type. The clutch is `squeeze`, the gripper is `trigger`.
ACTIONS = {
    "grip": "POSE_INPUT",
    "squeeze": "FLOAT_INPUT",
    "trigger": "FLOAT_INPUT",
    "stick": "VECTOR2F_INPUT",
    "primary": "BOOLEAN_INPUT",
    "secondary": "BOOLEAN_INPUT",
    "haptic": "VIBRATION_OUTPUT",
}

_SIMPLE = {
    # No analogue control at all: select is the clutch, and the gripper stays as it is.
    "grip": "input/grip/pose",
    "squeeze": "input/select/click",
    "primary": "input/menu/click",
    "haptic": "output/haptic",
}
_TOUCH = {
    "grip": "input/grip/pose",
    "squeeze": "input/squeeze/value",
    "trigger": "input/trigger/value",
    "stick": "input/thumbstick",
    "haptic": "output/haptic",
}
_INDEX = {**_TOUCH, "primary": "input/a/click", "secondary": "input/b/click"}

# Profile -> hand -> action -> component path below /user/hand/<hand>/.
BINDINGS: dict[str, dict[str, dict[str, str]]] = {
    "/interaction_profiles/khr/simple_controller": dict.fromkeys(HANDS, _SIMPLE),
    "/interaction_profiles/oculus/touch_controller": {
        "left": {**_TOUCH, "primary": "input/x/click", "secondary": "input/y/click"},
        "right": {**_TOUCH, "primary": "input/a/click", "secondary": "input/b/click"},
    },
    "/interaction_profiles/valve/index_controller": dict.fromkeys(HANDS, _INDEX),
}
