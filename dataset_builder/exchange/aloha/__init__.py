"""ACT / ALOHA HDF5: an `episode_N.hdf5` for each episode."""
