"""Where and how we say it: topics, their registry, and the machinery that moves messages."""
