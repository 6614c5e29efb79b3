"""The pairwise interactions."""
