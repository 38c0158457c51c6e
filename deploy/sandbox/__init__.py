"""A stateful stand-in for Stripe's API, Connect included, for integrators and tests."""
