"""Pictures that are smoothed."""

# /// script
# dependencies = ["opencv-python-headless"]
# [tool.libraries]
# kind = "C threads"
# ///

import cv2
import numpy as np
from using.pair import pair

picture = np.zeros((64, 64), np.uint8)
leak, clean = pair(lambda _: cv2.GaussianBlur(picture, (5, 5), 0))
