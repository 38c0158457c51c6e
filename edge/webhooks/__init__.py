"""What Stripe tells us: verified, kept, passed on."""
