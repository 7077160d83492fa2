"""Runs the steps of a module in this folder; prints what each gave, or its error, as JSON.

With ``stand-in`` as the second argument the libraries get Callsheet's modules for ``import ftrack_api``.
"""

from __future__ import annotations

import importlib
import json
import logging
import sys
import traceback

module, client = sys.argv[1:]
if client == "stand-in":
    from callsheet.compat.ftrack_api import stand_in

    stand_in()
logging.disable(logging.WARNING)
told = {}
for step in importlib.import_module(module).STEPS:
    try:
        told[step.__name__] = step()
    except Exception:
        told[step.__name__] = traceback.format_exc()
print(json.dumps(told))
