"""Who may do what, asked the other way round: who may do this, what may I do where."""
