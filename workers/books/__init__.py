"""Books: sums up what the writer recorded, and checks every day that all of it agrees."""
