"""The demonstration's provider of identities: people to sign in as. Never for production."""
