"""The page: widgets and wiring only, a file per tab; every callback is a few lines that call
xfv_core."""

import os
import tempfile

from xfv_core.faces.images import limit_pillow

# Uploads and results live in a folder of our own that goes when the server goes. Gradio reads both
# settings when it is imported.
FOLDER = tempfile.TemporaryDirectory(prefix="xfv-")
os.environ["GRADIO_TEMP_DIR"] = FOLDER.name
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

limit_pillow()  # Gradio opens pictures of strangers too
