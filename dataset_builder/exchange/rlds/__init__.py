"""RLDS directories of anybody (OXE style), read without TensorFlow."""
