"""The command line of the product: rehearse a model's pipeline on this machine before it runs in an account."""
