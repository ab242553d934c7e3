"""Starts the pipeline of a model once for each new version of its code or data."""
