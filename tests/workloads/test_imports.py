import subprocess
import sys


def test_importing_descriptions_imports_nothing_heavy() -> None:
    modules = (
        "workloads, workloads.state, workloads.function, workloads.pbt_toy, workloads.functions.bbob,"
        "workloads.functions.mf_hartmann, workloads.functions.pymoo_problems, workloads.functions.yahpo,"
        "workloads.tabular.models"
    )
    heavy = ("torch", "sklearn", "pandas", "ioh", "pymoo", "onnxruntime")
    code = f"import sys, {modules}; sys.exit(', '.join(set({heavy}) & set(sys.modules)) or 0)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
