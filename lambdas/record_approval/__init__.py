"""Records on the model package who approved it."""
