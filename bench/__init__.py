"""Side-by-side benchmarks (SPEC 12). `python -m bench --help`."""
