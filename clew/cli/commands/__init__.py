"""One module for each sub-command. `configure` adds its arguments; `run` runs it and returns the exit code."""
