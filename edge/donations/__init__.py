"""Taking gifts in, and showing what became of them."""
