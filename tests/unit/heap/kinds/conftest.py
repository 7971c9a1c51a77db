import importlib
import sys
from pathlib import Path

# The plants are shared with the bench, so they are plain modules.
sys.path.insert(0, str(Path(__file__).parent))
for plants in ("plants_containers", "plants_code", "plants_native", "plants_runtime"):
    importlib.import_module(plants)
