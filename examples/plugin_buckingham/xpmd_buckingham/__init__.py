"""The Buckingham potential, a plugin of xpmd."""
