"""What anyone may see of an organization."""
