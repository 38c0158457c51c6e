"""Members of organizations, and invitations to become one."""
