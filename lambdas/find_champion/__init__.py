"""Finds the model that is in service, which a new model has to beat."""
