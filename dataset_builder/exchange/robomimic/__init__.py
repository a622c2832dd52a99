"""robomimic HDF5: all episodes in one file, as `data/demo_N`."""
