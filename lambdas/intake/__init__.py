"""Takes in a model that a data scientist hands over: complete, or not at all."""
