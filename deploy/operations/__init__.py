"""What the person on call reads from the database."""
