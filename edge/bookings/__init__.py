"""Bookings: money that moved outside the platform, as the organization says it did."""
