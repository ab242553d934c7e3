"""Copies a model to the region of an endpoint, which can read models of its own region only."""
