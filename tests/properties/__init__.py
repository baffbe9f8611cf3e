"""Properties of reads: random models, rows and operations, against a second implementation."""
