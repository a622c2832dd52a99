"""A build: planned, written shard by shard, documented and put in place."""
