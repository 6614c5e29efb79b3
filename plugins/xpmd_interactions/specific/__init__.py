"""The specific interactions."""
