import subprocess
import sys


def test_importing_the_package_imports_no_torch() -> None:
    modules = "workloads, workloads.state, workloads.function, workloads.pbt_toy"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
