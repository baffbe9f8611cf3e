"""Generated mutations: one root field in three phases, under the rules of one viewer.

1. Gather: read the input; find, lock and judge every existing row that it touches, as the row was before the field.
2. Write. Before that, foresee which rows no rule could allow.
3. Check: recall what rows were, beside the rows written before them; judge every written row as it is now.
"""
