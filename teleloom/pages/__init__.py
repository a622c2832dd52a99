"""Pages and pictures that are whole in one file: HTML without scripts, and SVG."""
