"""From a dataset of another project to episodes of a station.

An importer opens a `dataset` and makes an `episode` of each of its episodes; of one that we had exported,
`own_exports` does. `run` has each written, as an `episode_file` of `episode_meta` and `episode_streams`, known again by
its `identity`, enters it into the catalog, and gives the report. `documents` and `conventions` read what importers
find: JSON, and poses and grippers however they are written.
"""
