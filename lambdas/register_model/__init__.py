"""Registers a trained model with its metrics and its lineage."""
