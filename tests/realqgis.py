"""Real QGIS, where it is installed: its own Python runs a script and answers in JSON."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

PYTHON = "/usr/bin/python3"  # the one that Debian's QGIS is built for
FOREIGN = ("PYTHONPATH", "PYTHONHOME", "PROJ_LIB", "PROJ_DATA", "GDAL_DATA", "VIRTUAL_ENV")

needs_qgis = pytest.mark.skipif(
    shutil.which("qgis_process") is None
    or not Path("/usr/lib/python3/dist-packages/qgis").is_dir(),
    reason="needs QGIS: apt-get install qgis python3-qgis qgis-providers",
)

START = """
import json, sys
from qgis.core import *
arguments = json.loads(sys.argv[1])
application = QgsApplication([], arguments.pop("gui", False))
application.initQgis()
"""

# taken down by Python, QGIS may crash
END = """
import os
sys.stdout.flush()
os._exit(0)
"""


def ask(script, home, **arguments):
    """What a script prints as JSON in its last line; ``arguments`` is a dictionary in it.

    With ``gui=True`` it may make windows, which nobody sees.
    """
    done = subprocess.run(
        [PYTHON, "-c", START + script + END, json.dumps(arguments, default=str)],
        capture_output=True,
        text=True,
        env=environment(home),
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def environment(home):
    """The environment of a QGIS without a screen, with a profile of its own."""
    kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    return kept | {"QT_QPA_PLATFORM": "offscreen", "HOME": str(home), "LC_ALL": "C.UTF-8"}
