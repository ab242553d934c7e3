"""Containers of one's own: built, checked against SageMaker's contract, run on the best rung that a machine has."""
