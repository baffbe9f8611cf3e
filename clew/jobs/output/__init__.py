"""What jobs put out: written by their workers, kept in the database, and followed by clients (docs/job-output.md)."""
