"""The packages of this image with their versions, as JSON: the list that lies beside an image and in it."""

import json
import platform
import re
import subprocess
import sys
from importlib import metadata

query = ["dpkg-query", "--show", "--showformat=${Package} ${Version}\n"]
listing = subprocess.run(query, capture_output=True, text=True, check=True).stdout
debian = dict(line.split() for line in listing.splitlines())
# Names as a lock spells them.
python = {re.sub(r"[-_.]+", "-", found.name).lower(): found.version for found in metadata.distributions()}
interpreter = {"version": platform.python_version(), "compiler": platform.python_compiler()}
json.dump({"interpreter": interpreter, "python": python, "debian": debian}, sys.stdout, indent=1, sort_keys=True)
print()
