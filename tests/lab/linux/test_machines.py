"""Machines are containers: their boots and stops, their disks, and what they cannot reach."""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from erfailover.planning.provision import nat
from tests.lab.linux.bed import Bed, start_bed

pytestmark = pytest.mark.slow

PER_BOOT = "/var/lib/cloud/scripts/per-boot"


@pytest.fixture(scope="module", params=["", "nobody", "root"], ids=["own", "nobody", "root"])
def shared(request: pytest.FixtureRequest) -> Iterator[Bed]:
    """A bed whose machines run; a test on it leaves them as they were."""
    with start_bed(owner=request.param) as bed:
        bed.boot("m1")
        bed.boot("m2")
        yield bed


@pytest.fixture
def bed() -> Iterator[Bed]:
    with start_bed() as bed:
        yield bed


# Boots and stops.


def test_a_machine_is_root_on_a_system_of_its_own(shared: Bed) -> None:
    ended = shared.run("id -u; hostname; cat /etc/hostname; echo $HOME $PWD; ps axo pid=,args=")
    lines = ended.stdout.splitlines()
    assert lines[:4] == ["0", "vm-m1", "vm-m1", "/root /root"]
    assert lines[4].split() == ["1", "sleep", "infinity"]
    assert len(lines) <= 8


def test_machines_reach_each_other_with_real_packets(shared: Bed) -> None:
    ended = shared.run("ping -n -c 1 -W 2 10.0.2.4 && traceroute -n -w 1 10.0.2.4")
    assert ended.exit_code == 0
    assert [line.split()[1] for line in ended.stdout.splitlines()[-2:]] == ["10.0.1.1", "10.0.2.4"]


def test_a_stop_loses_what_the_kernel_knows_and_keeps_the_disk(bed: Bed) -> None:
    bed.boot()
    bed.run(
        "sysctl -qw net.ipv4.ip_forward=1; iptables -A FORWARD -j DROP; touch /root/kept /tmp/lost;"
        "ip route add 10.9.0.0/16 via 10.0.1.1; setsid sleep 300 > /dev/null 2>&1 &"
    )
    state = (
        "sysctl -n net.ipv4.ip_forward; iptables -S FORWARD | wc -l; ip route | grep -c 10.9.;"
        "ls /root /tmp; pgrep -c sleep"
    )
    before = bed.run(state).stdout.split()
    assert before == ["1", "2", "1", "/root:", "kept", "/tmp:", "lost", "2"]
    bed.boot()
    assert bed.run(state).stdout.split() == ["0", "1", "0", "/root:", "kept", "/tmp:", "1"]


def test_a_stopped_machine_holds_no_process_mount_descriptor_or_group(bed: Bed) -> None:
    bed.boot()
    bed.boot()
    before = bed.call("describe")
    for _ in range(3):
        bed.run("setsid sleep 300 & echo")
        bed.boot()
    after = bed.call("describe")
    assert after["memory_kib"] - before["memory_kib"] < 4000
    assert after == {**before, "memory_kib": after["memory_kib"]}
    bed.call("stop", "m1")
    after = bed.call("describe")
    assert after["tasks"] < before["tasks"]
    assert after["groups"] == 0


def test_a_running_machine_is_not_booted_again(shared: Bed) -> None:
    with pytest.raises(RuntimeError, match=r"vm-m1 \(m1\) is already running"):
        shared.call("boot_alone", "m1", {"hostname": "vm-m1", "disk": "m1"}, 1)


def test_a_boot_that_fails_leaves_nothing_behind(bed: Bed) -> None:
    before = bed.call("describe")
    with pytest.raises(RuntimeError, match="Cannot start the machine m9"):
        bed.call("boot_alone", "m9", {"hostname": "vm9", "disk": "d9"}, 1)
    after = bed.call("describe")
    assert after["tasks"] == before["tasks"]
    assert after["descriptors"] == before["descriptors"]


def test_custom_data_runs_once_on_a_disk_and_per_boot_scripts_at_every_boot(bed: Bed) -> None:
    first = (
        "#!/bin/sh\necho first at $(hostname)\n"
        f"printf '#!/bin/sh\\necho again >> /root/log\\n' > {PER_BOOT}/10-again\n"
        f"printf '#!/bin/sh\\necho later >> /root/log\\n' > {PER_BOOT}/20-later\n"
        f"echo 'echo never >> /root/log' > {PER_BOOT}/30-not-executable\n"
        f"chmod +x {PER_BOOT}/[12]0-*\nfalse\n"
    )
    bed.boot(first_boot=first)
    log = bed.run("cat /var/log/cloud-init-output.log").stdout
    assert log == "first at vm-m1\nexit status 1\n"
    bed.boot(first_boot=first)
    assert bed.run("cat /root/log").stdout.split() == ["again", "later"]
    assert bed.run("cat /var/log/cloud-init-output.log").stdout == log
    bed.boot(disk="another", first_boot="#cloud-config\n")
    assert bed.run("cat /root/log").exit_code == 1
    assert "only custom data that is a script" in bed.run("cat /var/log/cloud-init*").stdout


def test_a_boot_applies_the_parameters_and_rules_that_are_kept(bed: Bed) -> None:
    bed.boot()
    bed.run(
        "echo net.ipv4.ip_forward=1 > /etc/sysctl.d/10-nat.conf;"
        "echo net.ipv4.conf.all.rp_filter = 2 >> /etc/sysctl.conf;"
        "iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE; netfilter-persistent save"
    )
    bed.boot()
    state = "sysctl -n net.ipv4.ip_forward net.ipv4.conf.all.rp_filter; iptables -t nat -S"
    assert bed.run(state).stdout.splitlines()[:2] == ["1", "2"]
    assert "-A POSTROUTING -o eth0 -j MASQUERADE" in bed.run(state).stdout


def test_scripts_can_wait_for_a_slow_first_start(bed: Bed) -> None:
    machine = {"hostname": "vm1", "disk": "d", "first_boot": "#!/bin/sh\nsleep 3\ntouch /root/done"}
    began = time.monotonic()
    bed.call("connect", "m1")
    bed.call("boot_alone", "m1", machine, 0.1)
    assert time.monotonic() - began < 2.5
    ended = bed.run("cloud-init status; cloud-init status --wait; ls /root")
    assert ended.stdout.splitlines() == ["status: running", "status: done", "done"]


# What scripts for Azure's image use.


def test_the_nat_set_up_of_erfailover_runs_and_survives_a_restart(bed: Bed) -> None:
    script = nat._render_script("10.0.0.0/8", "10.0.1.1")
    script = [line.replace("INSIDE=eth1", "INSIDE=eth0") for line in script]
    lines = [f"echo '{line}' {'>>' if i else '>'} {nat.PER_BOOT}" for i, line in enumerate(script)]
    setup = ["#!/bin/sh", "set -e", *lines, f"chmod 0755 {nat.PER_BOOT}", f"sh {nat.PER_BOOT}", ""]
    bed.boot(first_boot="\n".join(setup))
    check = (
        "set -e; sysctl -n net.ipv4.ip_forward | grep -q 1\n"
        "sudo iptables -t nat -C POSTROUTING -o eth0 -j MASQUERADE\n"
        "sudo iptables -C FORWARD -i eth0 -o eth0 -m state --state RELATED,ESTABLISHED -j ACCEPT\n"
        "ip route show 10.0.0.0/8 | grep -q 'via 10.0.1.1 dev eth0'\n"
        "sudo conntrack -L -p icmp; echo holds"
    )
    ended = bed.run(check)
    assert (ended.stdout, ended.exit_code) == ("holds\n", 0), ended.stderr
    bed.boot(first_boot="\n".join(setup))
    assert bed.run(check).stdout == "holds\n"


def test_sudo_runs_the_rest(shared: Bed) -> None:
    ended = shared.run(
        "sudo -n id -u; sudo -E -u root -- echo a; sudo A=b sh -c 'echo $A'; sudo -n false"
    )
    assert (ended.stdout.split(), ended.exit_code) == (["0", "a", "b"], 1)


@pytest.mark.parametrize("program", ["apt-get", "/usr/bin/apt-get", "apt"])
def test_apt_get_has_what_the_host_has(shared: Bed, program: str) -> None:
    quiet = f"{program} -o DPkg::Lock::Timeout=300"
    ended = shared.run(f"{quiet} update -qq && {quiet} install -y -qq conntrack iputils-ping")
    assert (ended.stdout, ended.stderr, ended.exit_code) == ("", "", 0)
    ended = shared.run(f"{program} install -y conntrack nonesuch=1.0")
    assert ended.stderr == "E: Unable to locate package nonesuch\n"
    assert ended.exit_code == 100


def test_a_machine_captures_its_own_packets(shared: Bed) -> None:
    ended = shared.run(
        "timeout 5 tcpdump -n -c 1 -i eth0 icmp & sleep 0.5; ping -c 1 10.0.1.1 > /dev/null; wait"
    )
    assert "10.0.1.4 > 10.0.1.1: ICMP echo request" in ended.stdout


# Ports.


def test_a_machine_accepts_connections_as_its_rules_allow(bed: Bed) -> None:
    bed.boot("m1")
    bed.boot("m2")
    for _ in range(40):
        assert bed.call("connect_tcp", "m2", "10.0.1.4", 22).startswith("SSH-2.0-")
    assert bed.run("ssh-keyscan -T 2 10.0.1.4", "m2").stderr.startswith("# 10.0.1.4:22 SSH-2.0")
    bed.run("iptables -A INPUT -p tcp --dport 22 -j REJECT --reject-with tcp-reset")
    assert "refused" in bed.call("connect_tcp", "m2", "10.0.1.4", 22)
    bed.boot("m1")
    assert bed.call("connect_tcp", "m2", "10.0.1.4", 22).startswith("SSH-2.0-")
    bed.call("stop", "m1")
    assert "SSH" not in bed.call("connect_tcp", "m2", "10.0.1.4", 22)
    assert not bed.call("ping", "m1", "", "10.0.2.4", 1.0)
    assert not bed.call("ping", "m2", "", "10.0.1.4", 0.3)


def test_the_lab_pings_from_a_machine(shared: Bed) -> None:
    assert shared.call("ping", "m1", "eth0", "10.0.2.4", 1.0)
    assert shared.call("ping", "m1", "", "10.0.2.4", 1.0)
    began = time.monotonic()
    assert not shared.call("ping", "m1", "eth0", "10.0.2.99", 0.3)
    assert not shared.call("ping", "m1", "eth9", "10.0.2.4", 1.0)
    assert time.monotonic() - began < 1


# What a hostile script tries.

REFUSED = [
    ("ls -d /work /boot /mnt /sys /etc/shadow /usr/local/lib; ls /home", "No such file"),
    ("cat /proc/1/root/etc/shadow", "No such file"),
    ("mount -t tmpfs none /tmp", "permission denied"),
    ("mount -o remount,rw /usr", "permission denied"),
    ("umount /proc/sys", "must be superuser"),
    ("mknod /tmp/disk b 254 0", "Operation not permitted"),
    ("mknod /tmp/memory c 1 1", "Operation not permitted"),
    ("unshare --user --map-root-user true", "Operation not permitted"),
    ("unshare --mount true", "Operation not permitted"),
    ("unshare --net true", "Operation not permitted"),
    ("nsenter --target 1 --mount true", "Operation not permitted"),
    ("nsenter --target 1 --net true", "Operation not permitted"),
    ("chroot / true", "Operation not permitted"),
    ("touch /usr/bin/x", "Read-only file system"),
    ("touch /usr/local/sbin/sudo", "Read-only file system"),
    ("touch /etc/alternatives/x", "Read-only file system"),
    ("touch /x", "Read-only file system"),
    ("echo x > /proc/sys/kernel/core_pattern", "Read-only file system"),
    ("echo 1 > /proc/sys/vm/drop_caches", "Read-only file system"),
    ("chmod 000 /dev/null", "Read-only file system"),
    ("rm /dev/null", "Read-only file system"),
    ("head -c 1 /proc/kallsyms", "Permission denied"),
    ("dmesg", "Operation not permitted"),
    ("date --set 2020-01-01", "Operation not permitted"),
    ("hostname other", "must be root"),
    ("nice -n -5 true", "Permission denied"),
    ("head -c 20000000 /dev/zero > /var/large", "File too large"),
    (
        "python3 -c 'import ctypes; c = ctypes.CDLL(None, use_errno=True)\n"
        'print(end="" if c.syscall(250, 0, -4, 0) < 0 else "a keyring")\n'
        'raise OSError(ctypes.get_errno(), "keyctl")\'',
        "PermissionError: [Errno 1] keyctl",
    ),
    ("python3 -c 'bytearray(600 << 20)'", "MemoryError"),
]


@pytest.mark.parametrize(("attempt", "refusal"), REFUSED, ids=[attempt for attempt, _ in REFUSED])
def test_a_hostile_script_is_refused(shared: Bed, attempt: str, refusal: str) -> None:
    ended = shared.run(f"{attempt}; code=$?; rm -f /var/large; exit $code")
    assert ended.stdout.strip("\n") in ("", "Wed Jan  1 00:00:00 UTC 2020")
    assert refusal in ended.stderr


def test_a_machine_sees_no_process_of_another(shared: Bed) -> None:
    shared.run("setsid sleep 4321 > /dev/null 2>&1 &", "m2")
    assert shared.run("pgrep -f 'sleep 4321'").exit_code == 1
    assert shared.run("pkill -9 -f 'sleep 4321'", "m2").exit_code == 0


def test_a_machine_survives_the_kill_of_all_its_processes(shared: Bed) -> None:
    assert shared.run("kill -9 1; kill -9 -1").exit_code == 137
    assert shared.run("echo alive").stdout == "alive\n"


def test_programs_have_no_right_that_a_machine_has_not(shared: Bed) -> None:
    kept = "".join(f"{name}:\t00000000000034eb\n" for name in ("CapPrm", "CapEff", "CapBnd"))
    script = "grep -E '^Cap|^NoNew|^Seccomp:' /proc/self/status"
    ended = shared.run(script)
    assert kept in ended.stdout
    assert "CapInh:\t0000000000000000" in ended.stdout
    assert "NoNewPrivs:\t1\nSeccomp:\t2" in ended.stdout
    assert "Seccomp:\t2" in shared.run("cat /proc/1/status").stdout


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc, which a machine then has")
def test_joining_loads_no_library_of_the_machine_while_it_has_rights(bed: Bed) -> None:
    source = (
        "#include <stdio.h>\\n"
        "__attribute__((constructor)) static void note(void) {\\n"
        'char line[256]; FILE *in = fopen("/proc/self/status", "r");\\n'
        'FILE *out = fopen("/root/rights", "a");\\n'
        "while (in && out && fgets(line, 256, in)) fputs(line, out);\\n"
        "if (out) fclose(out); }\\n"
    )
    bed.boot()
    build = f"printf '%b' '{source}' > note.c; gcc -shared -fPIC -o /root/note.so note.c"
    ended = bed.run(build)
    assert ended.exit_code == 0, ended.stderr
    bed.run("echo /root/note.so > /etc/ld.so.preload")
    bed.run("true; ls")
    bed.boot()
    rights = bed.run("rm /etc/ld.so.preload; sort /root/rights | grep CapPrm | uniq -c").stdout
    assert int(rights.split()[0]) > 5, "the library was never loaded"
    assert rights.split()[1:] == ["CapPrm:", "00000000000034eb"]


BOMB = """
i=0
while [ $i -lt 200 ]; do sleep 1 & i=$((i+1)); done
"""


@pytest.mark.parametrize("group", ["", "none"], ids=["group", "unprivileged"])
def test_too_many_processes_are_refused(group: str) -> None:
    """Bounded: 200 processes at most, each for a second."""
    with start_bed(group=group, owner="nobody" if group else "") as bed:
        bed.boot("m1")
        bed.boot("m2")
        bomb = bed.start(BOMB)
        ended = bed.wait(bomb)
        assert "Cannot fork" in ended.stderr
        assert bed.call("describe")["tasks"] < 200
        assert bed.run("echo fine", "m2").stdout == "fine\n"
        time.sleep(1.2)
        assert bed.run("echo fine").stdout == "fine\n"


def test_the_processes_of_a_machine_have_limited_memory_together(bed: Bed) -> None:
    bed.boot("m1")
    if not bed.call("describe")["groups"]:
        pytest.skip("no group of processes (cgroup) can be made here: nothing limits their sum")
    hold = "python3 -c 'import time; held = b\"x\" * (400 << 20); time.sleep(2)' && echo held"
    ended = bed.run(f"for i in 1 2 3 4; do ({hold}) & done; wait; echo fine")
    assert ended.stdout.endswith("fine\n")
    assert ended.stdout.count("held") <= 2


def test_a_full_disk_is_a_machine_s_own_problem(bed: Bed) -> None:
    bed.boot("m1")
    bed.boot("m2")
    fill = "for i in 1 2 3; do head -c 16000000 /dev/zero > {}/$i; done"
    for folder in ("/var", "/dev/shm"):
        assert "No space left" in bed.run(fill.format(folder)).stderr
    many = "for i in $(seq 9000); do : > /opt/$i || exit 1; done"
    assert bed.run(many).exit_code != 0
    assert bed.run("echo > /var/x && echo > /tmp/x && echo ok", "m2").stdout == "ok\n"
    bed.boot()
    assert bed.run("rm -f /var/[123] /opt/*; echo ok").stdout == "ok\n"


# Archives of disks.


def test_a_disk_outlives_the_agent(tmp_path: Path) -> None:
    content = (
        "mkdir -p -m 700 /opt/a/b; echo text > /opt/a/b/file; chmod 640 /opt/a/b/file;"
        "ln -s /etc/passwd /opt/link; ln -s /nowhere /opt/a/dangling; mkfifo /opt/pipe;"
        r"touch /opt/$(printf '\377')"
    )
    show = "cd /opt; find . ! -type p -printf '%P %M %l\n' | sort; cat a/b/file"
    with start_bed(archives=tmp_path) as bed:
        bed.boot()
        before = bed.run(f"{content}; {show}").stdout
        assert "a/b/file -rw-r-----" in before
        bed.kill()
    (archive,) = tmp_path.iterdir()
    assert archive.stat().st_mode & 0o777 == 0o600
    assert archive.stat().st_size < 20_000
    with start_bed(archives=tmp_path) as bed:
        bed.boot(first_boot="#!/bin/sh\ntouch /opt/again")
        assert bed.run(show).stdout.replace("again -rw-r--r-- \n", "") == before
        bed.boot("m2")
        assert len(list(tmp_path.iterdir())) == 2
        bed.call("stop", "m2")
        bed.call("keep_disks", ["m1"])
        assert list(tmp_path.iterdir()) == [archive]


def test_no_link_of_a_disk_leads_out_of_it(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "file").write_text("of the host")
    archives = tmp_path / "archives"
    archives.mkdir()
    with start_bed(archives=archives) as bed:
        bed.boot()
        # The archive holds files below a link: what a change in the middle of a save could make.
        bed.run(f"ln -s {secret} /opt/out; ln -s {secret}/file /opt/read")
        race = f"while :; do mkdir /opt/r; rmdir /opt/r; ln -s {secret} /opt/r; rm /opt/r; done"
        bed.run(f"({race}) > /dev/null 2>&1 &")
        for _ in range(5):
            bed.run("true")
        bed.kill()
    (archive,) = archives.iterdir()
    assert b"of the host" not in gzip.decompress(archive.read_bytes())
    with start_bed(archives=archives) as bed:
        bed.boot()
        assert bed.run("readlink /opt/out; cat /opt/read").stdout == f"{secret}\n"
    assert [path.name for path in secret.iterdir()] == ["file"]
    assert (secret / "file").read_text() == "of the host"


def test_an_archive_that_leads_out_of_the_disk_stays_in_it(tmp_path: Path) -> None:
    archives, outside = tmp_path / "archives", tmp_path / "outside"
    archives.mkdir()
    outside.mkdir()
    with start_bed(archives=archives) as bed:
        bed.boot()
    (archive,) = archives.iterdir()
    with tarfile.open(archive, "w:gz") as tar:
        for name, link in (("opt/out", str(outside)), ("opt/up", "../../../../..")):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, link
            tar.addfile(member)
        for name in (f"opt/up{outside}/file", f"../../../../..{outside}/other"):
            member = tarfile.TarInfo(name)
            member.size = 1
            tar.addfile(member, io.BytesIO(b"x"))
    with (
        start_bed(archives=archives) as bed,
        pytest.raises(RuntimeError, match="Cannot load the disk m1"),
    ):
        bed.boot()
    assert list(outside.iterdir()) == []
