"""Map the changes of a pair from Python and print the hectares of every transition.

Usage: python examples/predict_from_python.py BEFORE AFTER OUT
"""

import sys

import scdcli

before, after, out = sys.argv[1:]
for row in scdcli.predict(before, after, out)["transitions"]:
    print(f"{row['from_name']} → {row['to_name']}: {row['hectares']:.2f} ha")
