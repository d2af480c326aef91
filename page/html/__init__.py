"""HTML for what the verifier says: the answer, the maps, the limits. Strings in, strings out.

Everything that did not come from these files is escaped; pictures travel inside the page as data
URLs, so that no photo gets a file of its own.
"""

from page.html.answer import answer, axis, empty_answer, problem
from page.html.explorer import grid, opened, overview
from page.html.live import CAMERA, camera_problem, camera_says
from page.html.maps import curves, maps, waiting
from page.html.models import models
from page.html.report import TITLES, report
from page.html.words import HEADER, MODES, POINTS, VIEWS, WHY, about, limits, link, tip

__all__ = [
    "CAMERA", "HEADER", "MODES", "POINTS", "TITLES", "VIEWS", "WHY", "about", "answer",
    "axis", "camera_problem", "camera_says", "curves", "empty_answer", "grid", "limits", "link",
    "maps", "models", "opened", "overview", "problem", "report", "tip", "waiting",
]  # fmt: skip
