"""How often something may be asked for: rules, counts shared by all edges, clients' addresses."""
