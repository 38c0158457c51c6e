"""Tokens of an OpenID Connect provider, checked here: who signed in there, and how."""
