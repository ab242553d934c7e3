"""The stacks: construction and wiring only."""
