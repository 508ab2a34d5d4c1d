"""Plans: the exact ones, of least resources or of the highest rate."""
