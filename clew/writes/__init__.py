"""Generated mutations: one root field in three phases, under the rules of one viewer.

First the input is read, and every existing row that it touches is found, locked and judged as it was before the root
field. Then all is written. Then every row is judged as it is now.
"""
