"""People who sign in: known by an id of ours, their name and address kept so that they can go."""
