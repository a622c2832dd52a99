"""The commands `teleloom build` and `teleloom verify`."""

from dataset_builder.commands.build import build
from dataset_builder.commands.verify import verify

__all__ = ["build", "verify"]
