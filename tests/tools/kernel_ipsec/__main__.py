"""``python -m tests.tools.kernel_ipsec``: the Linux data plane on a kernel that encrypts.

Boots Debian's kernel in a virtual machine, emulated unless ``--accelerator kvm`` is given, on this
machine's own files, which it cannot change. There it runs the tests of the plane, or those that are
named, and the recorded tables. By hand, as root; needs ``apt-get install --no-install-recommends
qemu-system-x86`` and apt's network for a kernel and busybox, which are kept in ``--folder``.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from tests.tools.kernel_ipsec.virtual_machine import VirtualMachine

ROOT = Path(__file__).parents[3]
FOLDER = Path("/var/tmp/erfailover-kernel-ipsec")
TESTS = tuple(
    f"tests/lab/linux/test_{name}.py"
    for name in ("tunnel_devices", "agent_network", "plane", "recorded_tables")
)
LIMIT_S = 3 * 3600
PATIENCE = 8
MODULES = "xfrm_interface esp4 xfrm_user tun veth nf_nat nf_conntrack nf_tables"


def main(arguments: list[str]) -> int:
    """Run the tests in the virtual machine; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.kernel_ipsec")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--processors", type=int, default=1)
    # A nested KVM may be there and not work.
    parser.add_argument("--accelerator", choices=("tcg", "kvm"), default="tcg")
    parser.add_argument("--ipsec", choices=("kernel", "libipsec"), default="kernel")
    parser.add_argument("pytest", nargs="*", default=TESTS, help="tests, and options after --")
    options = parser.parse_args(arguments)
    python = shlex.quote(sys.executable)
    script = f"""\
for module in {MODULES}; do modprobe $module; done
cd {shlex.quote(str(ROOT))}
export PYTHONDONTWRITEBYTECODE=1 ERFAILOVER_TEST_PATIENCE={PATIENCE}
export ERFAILOVER_LAB_IPSEC={options.ipsec}
{python} -m pytest -p no:cacheprovider -rs {shlex.join(options.pytest)}
code=$?
{python} -m tests.tools.recorded_tables || code=1
exit $code
"""
    machine = VirtualMachine(options.folder, options.processors, options.accelerator)
    machine.prepare()
    return machine.run(script, LIMIT_S)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
