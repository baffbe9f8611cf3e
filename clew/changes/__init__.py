"""The change log: what happened to the rows of the model's tables, whoever changed them (docs/changes.md)."""
