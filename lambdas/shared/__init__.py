"""What several functions need; empty on purpose, so that a function imports only the modules it uses."""
