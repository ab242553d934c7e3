"""Judges a trial: a candidate beside the version in service goes on, takes over, or is given up."""
