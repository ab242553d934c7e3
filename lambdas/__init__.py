"""Lambda functions: one folder each; never imports aws_cdk."""
