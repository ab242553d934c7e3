"""Mask R-CNN under SageMaker's container contract: the program `train`, the program `serve`, and what they share.

Nothing here imports another container: an image is a program of its own. The modules that need no PyTorch
(hyperparameters, data, masks, average precision, the server) import none, and are tested where there is none.
"""
