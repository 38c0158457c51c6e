"""The Organizations service: who takes gifts here, into which funds, with which keys."""
