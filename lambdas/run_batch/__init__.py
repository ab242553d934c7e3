"""Chooses the files of a batch, and makes their answers visible when all of them are right."""
