"""Community contribution: volunteers, their certificates, what they do and what it earns."""
