"""Decides whether data, or a trained model, is good enough to go on."""
