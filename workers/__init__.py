"""What we do: processes that read topics and act on what they say."""
