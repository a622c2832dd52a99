"""Datasets of other projects: theirs become reviewable episodes, ours become theirs; what is lost is said.

A folder for each format, with its `importer`, its `exporter`, or both; `formats` lists them. What the importers share
is in `importing`, what the exporters share in `exporting`. HDF5 formats also share `hdf5` and `our_group`, the group in
which a file keeps what its format has no place for.
"""
