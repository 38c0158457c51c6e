"""What is true: entries, the Merkle tree over them, and the proofs that outsiders check."""
