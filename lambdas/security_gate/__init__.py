"""Decides whether the scan of an image lets it be used."""
