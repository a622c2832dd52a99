"""An operator with a headset, through an OpenXR runtime."""
