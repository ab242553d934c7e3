"""Takes back a version that was rejected after it had been deployed."""
