"""The program's verbs: one module each, imported when its verb is given.

Each has ``main(argv) -> exit code``. It may raise ``ConfigurationError`` and ``OSError``, which the program
reports in one line.
"""

VERBS = {
    "run": "runs a study; the word may be left out",
    "check": "checks everything about a study and tries its workload, but runs nothing",
    "resume": "continues a run: resume <run directory>",
    "add": "adds configurations to a search, running or not: add <run directory> <file.yaml>",
    "init": "writes a study of your own that runs at once: init <folder>",
    "list": "lists the studies, or other choices: list optimizer population suite workload",
    "report": "writes the results of a run again, or one report of several benchmark runs",
    "replay": "trains one model with the schedule that a population found, over several seeds",
    "subsets": "chooses a few tasks that stand for many",
    "carps": "turns logs of carps into a run directory",
}
"""The verbs and what they do."""
