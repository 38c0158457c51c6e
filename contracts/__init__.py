"""What we say: the messages between processes and the words they share. No I/O."""
