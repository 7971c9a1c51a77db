"""What the numbers and the graph mean: bytes per job with an interval, and who holds them."""
