"""Export: the rows of a query as a file, at the speed of COPY."""
