"""Deletes the endpoint configurations and models of earlier versions that nothing refers to any more."""
