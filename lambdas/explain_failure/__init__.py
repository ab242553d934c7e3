"""Makes the cause of a failed workflow readable."""
