"""The API in front of the endpoints of an environment: predictions, feedback, and what models there are."""
