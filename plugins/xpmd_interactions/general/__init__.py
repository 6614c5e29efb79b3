"""The general interactions."""
