"""Proofs about the log's tree, for anyone."""
