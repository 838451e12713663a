import subprocess
import sys


def test_importing_descriptions_imports_nothing_heavy() -> None:
    library = (
        "pbt_toy functions.bbob functions.mf_hartmann functions.pymoo_problems functions.yahpo tabular.models"
    )
    modules = ", ".join(
        (
            "workloads.state",
            "workloads.state_files",
            "workloads.function",
            "workloads.loop",
            *(f"workloads.library.{name}" for name in library.split()),
        )
    )
    heavy = ("torch", "sklearn", "pandas", "ioh", "pymoo", "onnxruntime")
    code = f"import sys, {modules}; sys.exit(', '.join(set({heavy}) & set(sys.modules)) or 0)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
