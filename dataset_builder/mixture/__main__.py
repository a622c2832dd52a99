"""`python -m dataset_builder.mixture`."""

from dataset_builder.mixture.commands import mixture

mixture(prog_name="python -m dataset_builder.mixture")
