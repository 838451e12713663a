"""The same training as a program that stays alive."""

import json
import random
import sys
from pathlib import Path

for line in sys.stdin:
    request = json.loads(line)
    what, answer = request["do"], {"done": request["do"]}
    if what == "start":
        seed, config = request["seed"], request["config"]
        age, x = 0, random.Random(f"{seed}").uniform(1, 2)
    if what == "configure":
        config = request["config"]
    folder = request.get("folder") or request.get("load")
    if what in ("start", "load") and folder:
        file = Path(folder) / "x.json"
        age, x = json.loads(file.read_text())
        file.write_text("mine")
    if what == "save":
        (Path(folder) / "x.json").write_text(json.dumps([age, x]))
    if what == "advance":
        for step in range(age, age + request["units"]):
            x -= config["rate"] * (x + random.Random(f"{seed} {step}").gauss(0, 0.01))
        age += request["units"]
        answer |= {"loss": x * x, "size": abs(x)}
    print("something else")
    print(json.dumps(answer), flush=True)
