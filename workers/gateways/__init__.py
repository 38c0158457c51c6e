"""The outside world as workers see it: Stripe, SpiceDB, mail. Each module speaks one protocol."""
