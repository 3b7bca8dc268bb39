"""What `make bench` times: this package's own hot path."""
