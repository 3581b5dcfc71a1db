"""The bench is no part of the package: it is found in the checkout, behind everything installed."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))
