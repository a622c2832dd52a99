"""From the approved episodes of a station to a folder of another project.

`run` hands the `episodes`, read one at a time, to the format's exporter, and puts its folder in place.
"""
