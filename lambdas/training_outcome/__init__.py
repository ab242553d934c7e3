"""Hands the model that the training workflow has registered to the pipeline."""
