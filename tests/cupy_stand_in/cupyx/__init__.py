"""What CuPy has beyond NumPy."""
