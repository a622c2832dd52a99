"""What ACT's `record_episodes.py` has in a file, and Mobile ALOHA where the attribute `compress` is set.

Then each image is a row of JPEG bytes padded with zeros, whose lengths are in `/compress_len`. An action is where the
joints shall go. ACT's DT is 0.02 s, and its files do not say so.
"""

FORMAT = "aloha"
RATE_HZ = 50.0
IMAGES = "observations/images/"
QPOS, QVEL, EFFORT = "observations/qpos", "observations/qvel", "observations/effort"
ACTION, LENGTHS, LANGUAGE = "action", "compress_len", "language_raw"

_ARM = ("waist", "shoulder", "elbow", "forearm_roll", "wrist_angle", "wrist_rotate")
NAMES = tuple(f"{side}_{name}" for side in ("left", "right") for name in (*_ARM, "gripper"))
"""Of the 14 columns of a two-armed ALOHA."""

GRIPPERS = (6, 13)
