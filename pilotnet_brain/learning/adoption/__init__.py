"""Networks of other people, made model files that the brain drives with."""
