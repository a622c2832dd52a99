"""Co-fine-tuning: robot datasets, questions and plans as one deterministic stream of batches."""
