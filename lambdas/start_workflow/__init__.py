"""Starts the release workflow of a model: for new data, on schedule, or by hand."""
