"""Approved episodes in, an RLDS dataset out: written without TensorFlow, image bytes untouched, every input accounted
for."""
