"""Plans a deployment: what serves, what is tried out, and whether it is the way back."""
