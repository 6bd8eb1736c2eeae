"""History that can be proven: the tree over the log, its signed checkpoints, and their keeper."""
