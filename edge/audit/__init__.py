"""Who did what at the edge: written with what they did, and read by owners and auditors."""
