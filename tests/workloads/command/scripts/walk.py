"""A training that knows of no study: a walk towards 0, each step a function of the seed and its number."""

import json
import random
import sys
from pathlib import Path

seed, age, units = map(int, sys.argv[1:4])
options = dict(argument[2:].split("=") for argument in sys.argv[4:] if argument.startswith("--"))
folders = [argument for argument in sys.argv[4:] if not argument.startswith("--")]
save, load = (*folders, "", "")[:2]

x = random.Random(f"{seed}").uniform(1, 2)
begin = 0
if load and (Path(load) / "x.json").exists():
    begin, x = json.loads((Path(load) / "x.json").read_text())
for step in range(begin, begin + units):
    noise = random.Random(f"{seed} {step}").gauss(0, 0.01)
    x -= float(options["rate"]) * (x + noise)
print("training went well; loss is what counts")
print(json.dumps({"loss": x * x, "size": abs(x)}))
if save:
    with (Path(save) / "x.json").open("w") as file:  # in place where it is the folder that was loaded
        json.dump([begin + units, x], file)
