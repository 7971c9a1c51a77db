"""A report with a figure (matplotlib), drawn through pyplot for every request.

What is wrong: `pyplot.figure()` registers each figure with pyplot's own manager, which keeps it until
`pyplot.close(figure)`. The answer is sent, the local variable is gone, and the figure stays with all its artists.

The fix: `matplotlib.figure.Figure()`, which nobody registers; or `pyplot.close(figure)` in a `finally`.
"""

from io import BytesIO

import matplotlib
from flask import Flask, Response

matplotlib.use("Agg")
matplotlib.rcParams["figure.max_open_warning"] = 0

from matplotlib import pyplot as plt  # the backend is chosen before

app = Flask(__name__)


@app.get("/work")
def chart() -> Response:
    """The number of orders as SVG."""
    figure = plt.figure(figsize=(1, 0.5), dpi=40)
    figure.text(0.1, 0.4, "42 orders", fontsize=8)
    picture = BytesIO()
    figure.savefig(picture, format="svg")
    return Response(picture.getvalue(), mimetype="image/svg+xml")
