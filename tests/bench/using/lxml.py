"""Documents that libxml2 keeps."""

# /// script
# dependencies = ["lxml"]
# [tool.libraries]
# kind = "memory of C, proxies"
# ///

from lxml import etree
from using.pair import pair

leak, clean = pair(lambda number: etree.fromstring(f"<jobs>{f'<job>{number}</job>' * 100}</jobs>"))
