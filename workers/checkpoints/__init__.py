"""Checkpoints: signs what was recorded and publishes the log's static files."""
