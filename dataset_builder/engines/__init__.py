"""Where shards are written: in this process, in a pool, on Dask or on Beam."""
