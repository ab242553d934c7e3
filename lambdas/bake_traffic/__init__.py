"""Sends labelled rows to an endpoint while it is updated, so that its alarms see something."""
