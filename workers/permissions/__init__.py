"""Permissions: what the edge decided about who may do what, brought to SpiceDB."""
