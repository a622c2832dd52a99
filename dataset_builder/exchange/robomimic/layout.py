"""What robomimic 0.3 has in a file, and robosuite's keys of the arm, so that robomimic's own configurations find them.

`actions`, `rewards`, `dones` and `obs/<key>` in each demonstration, `num_samples` on it, `env_args` on `data`, and the
splits as `mask/train` and `mask/valid`.
"""

FORMAT = "robomimic"
REAL_ROBOT = 4
"""robomimic's EnvType of a real robot: nothing that could be simulated for a rollout."""

JOINTS, SPEEDS, POSITION, ROTATION, FINGERS = (
    f"robot0_{name}" for name in ("joint_pos", "joint_vel", "eef_pos", "eef_quat", "gripper_qpos")
)
