"""Run generated mutations: each root field in three phases, under the rules of one viewer.

1. Gather: read the input. Find, lock and check every existing row that it touches, in its old state.
2. Write: first foresee which rows no rule could allow. Then write all rows.
3. Check: recall the old state of rows, and check it among the rows written before them. Then check the new state of
   every written row.
"""
