"""Benchmarks, one a file in `suites`; the programs they measure, one a file in `engines`."""
