"""Projects: what a fund's money is spent on, and what came of it."""
