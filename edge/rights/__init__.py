"""What donors may ask for: what is known of them, how they are shown, consent, to be forgotten."""
