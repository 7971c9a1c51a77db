"""Documents that are read."""

# /// script
# dependencies = ["orjson"]
# [tool.libraries]
# kind = "compiled extension"
# ///

import orjson
from using.pair import pair

leak, clean = pair(lambda number: orjson.loads(orjson.dumps({"places": [f"{number} {at}" for at in range(50)]})))
