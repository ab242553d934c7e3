"""A scikit-learn classifier or regressor for tables, as a SageMaker container: `train` and `serve`."""
