import subprocess
import sys


def test_a_server_never_loads_what_only_building_needs() -> None:
    code = "import sys, api.app; print({'networkx', 'osmnx', 'routingkit_cch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"
