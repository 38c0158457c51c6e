"""An organization's account at Stripe: asked for, set up, shown, left for another."""
