"""Events: what whoever listens from outside may learn, in one order for each organization."""
