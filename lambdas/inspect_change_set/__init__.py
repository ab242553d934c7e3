"""Refuses a change set that would lose something stateful."""
