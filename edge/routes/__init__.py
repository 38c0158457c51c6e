"""Paths and what answers them: reading requests, writing answers, nothing else."""
