"""What a token lets its holder be."""

ROLES = ("member", "officer", "auditor", "admin")
