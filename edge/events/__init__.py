"""Events: announced in the transaction of a change, read by whoever listens."""
