"""The commands of `xpmd`, one a module; they need the extra `cli` (typer and rich)."""
