"""Peak memory of a process that a test starts.

``ru_maxrss`` of a child begins with the peak of the process that started it (vfork shares the memory until exec), so
it tells of pytest; the kernel's high-water mark of the new program begins anew.
"""

PEAK = (
    "from pathlib import Path\n"
    "def peak_mib():\n"
    "    return int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]) // 1024\n"
)
