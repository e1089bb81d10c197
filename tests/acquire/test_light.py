"""The room is light: no device library is loaded before a device is opened."""

import subprocess
import sys

LIBRARIES = ("serial", "pylsl", "brainflow", "zmq", "numba", "scipy", "mne")


def test_importing_it_and_making_sources_loads_no_device_library():
    code = (
        "import sys; from ranvier.acquire import source; source('cyton:/dev/a'); source('lsl:EEG'); "
        f"source('brainflow:synthetic'); print(sorted(set({LIBRARIES!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
