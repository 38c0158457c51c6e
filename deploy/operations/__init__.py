"""What whoever runs the platform asks its database."""
