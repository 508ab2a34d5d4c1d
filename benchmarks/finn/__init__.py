"""FINN's published foldings, its own estimates of them, and the same foldings on our processes."""
