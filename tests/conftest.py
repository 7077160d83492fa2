"""What all tests share: this folder is on the path, so that ``import strategies`` works everywhere."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
