"""MDX over any cube: a query as text becomes axes and cells.

`query.answer_mdx` answers a query. What it reads of a cube is the protocol `cells.CubeCells`, and nothing else: no
engine, no network, no file. The way of a query through the files:

1. `parser` (with `grammar.lark`, and `building`) makes a tree (`syntax`) of the text; `text` is the way back.
2. `members` reads hierarchies, level by level; `names` finds what the names in the tree mean, `scope` holds what the
   query defines itself.
3. `evaluation` evaluates expressions in a context, with `operators`, `values`, `conversion` and the functions of
   `functions/`, which declare themselves in `registry`.
4. `reading` collects the cells that are missing, and asks for all of them at once; then everything is evaluated again,
   until nothing is missing. `nonempty` and `pruning` ask which tuples have facts at all, before they are made.
5. `query` puts the stages together: slicer (`slicing`), axes, cells, formats (`cell_formats`, `formats`); `result` is
   the answer. `limits` stops what takes too long.

The library lark is needed (``pip install 'callsheet[mdx]'``), and imported with the first text that is read.
"""
