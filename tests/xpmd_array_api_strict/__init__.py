"""array-api-strict as a backend: what runs here uses nothing beyond the standard."""
