"""Who may do what from outside: tokens, roles, and a record of every refusal."""
