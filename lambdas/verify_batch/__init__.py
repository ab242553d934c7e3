"""Tries out a version that answers batches: does it answer labelled rows rightly in a transform job?"""
