"""DROID's raw episodes: `trajectory.h5`, its metadata and its MP4 recordings."""
