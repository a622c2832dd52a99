"""Faults on purpose: operators who do a thing badly, cameras that fail, to see whether the ranking notices."""
