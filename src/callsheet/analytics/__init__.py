"""What analysts hold: the schema as tables and variables, selections, grids and cubes. Nothing here computes numbers.

Questions are data of the model (`Select`, `Aggregate`) and are answered by the server.
"""
