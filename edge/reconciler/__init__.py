"""What SpiceDB holds, compared with what the edge's rows say, and repaired through the outbox."""
