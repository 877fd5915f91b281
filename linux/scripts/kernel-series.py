#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Write linux/series as patches that can be mailed, and check them.

  kernel-series.py [--check-builds] [OUTDIR]

OUTDIR (default build/kernel/series) gets a cover letter and one file per patch, each with the
new files that it brings. Checked always: that `git am` takes them on an unchanged tree and that
the outcome is, byte for byte, the tree that `make kernel` builds; that checkpatch.pl --strict
of that tree has nothing to say.

--check-builds takes hours, and passes over what has passed in an earlier run. With all patches:
mm/, kernel/ and fs/ compile for arm64, i386, riscv without an MMU, and x86-64 without huge pages
and with lockless walks, with the option on and off.
After each patch: the default kernel, with the option on and off, is built without a warning and
boots, and tools/testing/vma builds and passes.
"""

import argparse
import email.utils
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

import series

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
KERNEL = os.path.join(TOP, "build", "kernel")
STOCK = os.path.join(KERNEL, "src-stock")
SERIES = os.path.join(TOP, "linux", "series")

# checkpatch has no way to know that these do not apply.
IGNORE = {
    "FILE_PATH_CHANGES": "asks for an entry in MAINTAINERS, which is for the maintainers to give",
    "NEW_TYPEDEFS": "anon_vma_tree_t and migration_note_t are words that nobody shall look into",
    "MACRO_ARG_UNUSED": "count_anon_vma_event() is nothing where the events do not exist",
}

# Kernel objects that the series and its headers reach, for architectures that do not boot here.
PARTS = ["mm/", "kernel/", "fs/"]


class CheckError(Exception):
    """A check of the series failed; the message says which."""


def run(cmd, what, **kwargs):
    """Run a command quietly; on failure its output becomes the message."""
    r = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                       check=False, **kwargs)
    if r.returncode:
        raise CheckError(f"{what}:\n" + "\n".join(r.stdout.splitlines()[-25:]))
    return r.stdout


class Message:
    """Author, date and text of a patch, from its header."""

    def __init__(self, path):
        header, _ = series.read_patch(path)
        text = "".join(line for line in header if not line.startswith("Adds:"))
        head, _, body = text.partition("\n\n")
        head = re.sub(r"\n[ \t]+", " ", head)
        fields = dict(m.groups() for m in re.finditer(r"^(\w+): *(.*)$", head, re.M))
        for name in ("From", "Date", "Subject"):
            if name not in fields:
                raise CheckError(f"{os.path.basename(path)} has no {name}: line")
        self.name, self.address = email.utils.parseaddr(fields["From"])
        self.date = fields["Date"]
        self.subject = re.sub(r"^\[[^]]*\]\s*", "", fields["Subject"])
        self.text = f"{self.subject}\n\n{body.strip()}\n"

    def environment(self):
        env = {}
        for role in ("AUTHOR", "COMMITTER"):
            env[f"GIT_{role}_NAME"] = self.name
            env[f"GIT_{role}_EMAIL"] = self.address
            env[f"GIT_{role}_DATE"] = self.date
        return env


class Repository:
    """A repository of those files of the kernel that the series touches."""

    def __init__(self, path, paths, message):
        self.path = path
        self.env = dict(os.environ, GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_SYSTEM="/dev/null",
                        GIT_CEILING_DIRECTORIES=os.path.dirname(path), **message.environment())
        os.makedirs(path)
        self.git("init", "-q", "-b", "series")
        for p in paths:
            stock = os.path.join(STOCK, p)
            if os.path.isfile(stock):
                series.place(stock, os.path.join(path, p))
        self.git("add", "-A", "-f")
        self.git("commit", "-q", "--allow-empty", "-m", "Linux 6.12, as Debian has it")
        self.git("tag", "stock")

    def git(self, *args, **extra):
        return run(["git", *args], f"git {args[0]}", cwd=self.path, env=dict(self.env, **extra))

    def commit(self, patch):
        header, rest = series.read_patch(patch)
        for path in series.added(header):
            series.place(series.source_of(path, patch), os.path.join(self.path, path))
        if any(line.startswith("diff ") or line.startswith("--- a/") for line in rest):
            series.apply_patch(patch, self.path)
        self.git("add", "-A", "-f")
        message = Message(patch)
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as f:
            f.write(message.text)
            f.flush()
            self.git("commit", "-q", "-F", f.name, **message.environment())

    def tree(self):
        return self.git("rev-parse", "HEAD^{tree}").strip()


def write_cover(path):
    """Fill git's form in with linux/series/cover-letter.txt: subject, empty line, text."""
    source = os.path.join(SERIES, "cover-letter.txt")
    if not os.path.exists(source):
        raise CheckError("linux/series/cover-letter.txt is missing")
    with open(source, encoding="utf-8") as f:
        subject, _, text = f.read().partition("\n\n")
    with open(path, encoding="utf-8") as f:
        form = f.read()
    for mark, words in (("*** SUBJECT HERE ***", subject.strip()),
                        ("*** BLURB HERE ***", text.strip())):
        if mark not in form:
            raise CheckError(f"{path}: no {mark}")
        form = form.replace(mark, words)
    with open(path, "w", encoding="utf-8") as f:
        f.write(form)


def write_patches(repo, outdir):
    if os.path.isdir(outdir):
        for name in os.listdir(outdir):
            if name.endswith(".patch"):
                os.unlink(os.path.join(outdir, name))
    repo.git("format-patch", "-q", "--cover-letter", "--zero-commit", "-o", outdir, "stock")
    names = sorted(n for n in os.listdir(outdir) if n.endswith(".patch"))
    write_cover(os.path.join(outdir, names[0]))
    return [os.path.join(outdir, n) for n in names]


def check_am(work, touched, mails, message, tree):
    """`git am` on an unchanged tree: same tree as the commits, and as what is built."""
    repo = Repository(os.path.join(work, "am"), touched, message)
    repo.git("am", "-q", *mails[1:])
    if repo.tree() != tree:
        raise CheckError("git am gives another tree than the series")
    for path in touched:
        built = os.path.join(KERNEL, "src", path)
        if not series.same(os.path.join(repo.path, path), built):
            raise CheckError(f"git am gives another {path} than build/kernel/src has")
    print(f"ok - git am: {len(mails) - 1} patches, the tree is that of build/kernel/src")


def check_style(mails):
    """checkpatch.pl --strict. Returns the number of patches with something to fix."""
    bad = 0
    for mail in mails[1:]:
        cmd = ["perl", "scripts/checkpatch.pl", "--strict", "--terse", "--show-types",
               "--no-summary", "--ignore", ",".join(IGNORE), mail]
        r = subprocess.run(cmd, cwd=STOCK, capture_output=True, text=True, check=False)
        found = r.stdout.strip()
        print(f"{'not ok' if found else 'ok'} - checkpatch --strict {os.path.basename(mail)}")
        if found:
            bad += 1
            print("\n".join("    " + line for line in found.splitlines()))
    for kind, why in IGNORE.items():
        print(f"# checkpatch: {kind} is ignored: {why}")
    return bad


def follow(repo, revision, tree, touched):
    """Make tree's files those of a commit, touching only what differs."""
    repo.git("checkout", "-q", revision)
    series.update(STOCK, tree, repo.path, touched, [])


def build(tree, out, flavour):
    r = subprocess.run([os.path.join(HERE, "build.sh"), "--tree", tree, "--out", out, flavour],
                       stderr=subprocess.PIPE, text=True, check=False)
    warnings = [l for l in r.stderr.splitlines() if "warning:" in l]
    if r.returncode or warnings:
        raise CheckError(f"{flavour}:\n{r.stderr}")


def boot(kernel):
    for mode in ("regular", "lazy"):
        run([os.path.join(TOP, "linux", "lab"), f"--kernel={kernel}", f"--anon-vma={mode}",
             "--timeout=120", "--", "true"], f"boot of {kernel} with anon_vma={mode}")


def vma_tests(tree):
    where = os.path.join(tree, "tools", "testing", "vma")
    run(["make", "-s", "-C", where, "clean"], "tools/testing/vma: clean")
    run(["make", "-s", "-C", where], "tools/testing/vma: build")
    print("    " + run(["./vma"], "tools/testing/vma", cwd=where).splitlines()[-1])


def passed_before(work, *what):
    """Has exactly this passed before? Returns (bool, the file to make when it has)."""
    key = hashlib.sha256("\n".join(what).encode()).hexdigest()
    path = os.path.join(work, "passed", key)
    return os.path.exists(path), path


def note_passed(path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8"):
        pass


def configurations():
    """What a build depends on besides the tree."""
    where = os.path.join(TOP, "linux", "config")
    parts = []
    for name in sorted(os.listdir(where)):
        with open(os.path.join(where, name), encoding="utf-8") as f:
            parts.append(name + "\n" + f.read())
    return "\n".join(parts)


def check_each(repo, touched, tree, work):
    """Every patch builds, boots, and passes the tests of the tree."""
    revisions = repo.git("rev-list", "--reverse", "stock..series").split()
    for n, revision in enumerate(revisions, 1):
        subject = repo.git("log", "-1", "--format=%s", revision).strip()
        content = repo.git("rev-parse", revision + "^{tree}").strip()
        done, stamp = passed_before(work, content, configurations())
        if not done:
            follow(repo, revision, tree, touched)
            with open(os.path.join(tree, "mm", "Kconfig"), encoding="utf-8") as f:
                # Before there is an option, it can not be off.
                flavours = ("default", "off") if "config ANON_VMA_LAZY" in f.read() else \
                    ("default",)
            for flavour in flavours:
                out = os.path.join(work, "out-" + flavour)
                build(tree, out, flavour)
                boot(os.path.join(out, "vmlinux"))
            vma_tests(tree)
            note_passed(stamp)
        print(f"ok - patch {n} of {len(revisions)} builds, boots, passes"
              f"{' (in an earlier run)' if done else ''}: {subject}", flush=True)


# Name: what make is told, the configuration to start from, what comes on top of mm.config.
ARCHITECTURES = {
    "arm64": (["ARCH=arm64", "CROSS_COMPILE=aarch64-linux-gnu-"], "allnoconfig", ""),
    "i386": (["ARCH=i386"], "allnoconfig", ""),
    "x86-small": (["ARCH=x86_64"], "allnoconfig",
                  "CONFIG_TRANSPARENT_HUGEPAGE=n\nCONFIG_HUGETLBFS=n\n"),
    "x86-lockless": (["ARCH=x86_64"], "allnoconfig",
                     "CONFIG_HYPERVISOR_GUEST=y\nCONFIG_PARAVIRT=y\n"
                     "CONFIG_ANON_VMA_LOCKLESS=y\n"),
    "riscv-nommu": (["ARCH=riscv", "CROSS_COMPILE=riscv64-linux-gnu-"],
                    "nommu_virt_defconfig", ""),
}


def check_architectures(repo, touched, tree, work):
    """The whole series, compiled for other machines."""
    content = repo.git("rev-parse", "series^{tree}").strip()
    for name, (arch, config, more) in ARCHITECTURES.items():
        for option in ("y", "n"):
            done, stamp = passed_before(work, content, configurations(), name, more, option)
            if done:
                print(f"ok - {name}, ANON_VMA_LAZY asked {option} (in an earlier run)")
                continue
            follow(repo, "series", tree, touched)
            out = os.path.join(work, f"out-{name}-{option}")
            os.makedirs(out, exist_ok=True)
            fragment = os.path.join(out, "fragment")
            with open(os.path.join(TOP, "linux", "config", "mm.config"), encoding="utf-8") as f:
                text = f.read()
            # A later line about an option wins; Kconfig would warn.
            for line in more.splitlines():
                text = re.sub(rf"(?m)^{line.split('=')[0]}=.*\n", "", text)
            with open(fragment, "w", encoding="utf-8") as f:
                f.write(text + more + f"CONFIG_ANON_VMA_LAZY={option}\n")
            make = ["make", "-s", "-C", tree, f"O={out}", *arch]
            run([*make, f"KCONFIG_ALLCONFIG={fragment}", config], f"{name}: configuration")
            if config != "allnoconfig":
                setting = "-e" if option == "y" else "-d"
                run(["scripts/config", "--file", os.path.join(out, ".config"), setting,
                     "ANON_VMA_LAZY"], f"{name}: configuration", cwd=tree)
                run([*make, "olddefconfig"], f"{name}: configuration")
            with open(os.path.join(out, ".config"), encoding="utf-8") as f:
                on = "CONFIG_ANON_VMA_LAZY=y" in f.read().splitlines()
            text = run([*make, f"-j{os.cpu_count()}", *PARTS], f"{name}: build")
            if "warning:" in text:
                raise CheckError(f"{name}:\n{text}")
            note_passed(stamp)
            print(f"ok - {name}: {' '.join(PARTS)} compile, ANON_VMA_LAZY asked "
                  f"{option}, is {'y' if on else 'n'}", flush=True)


def make_series(opts, work):
    run([os.path.join(HERE, "source.sh")], "source")
    patches = series.patches(SERIES)
    if not patches:
        raise CheckError("linux/series has no patches")
    with tempfile.TemporaryDirectory() as scratch:
        touched = series.build_files(STOCK, SERIES, os.path.realpath(scratch))
    first = Message(patches[0])
    repo = Repository(os.path.join(work, "repo"), touched, first)
    for patch in patches:
        repo.commit(patch)
    os.makedirs(opts.outdir, exist_ok=True)
    mails = write_patches(repo, os.path.abspath(opts.outdir))
    check_am(work, touched, mails, first, repo.tree())
    bad = check_style(mails)
    if opts.check_builds:
        # Its builds are kept: the next run of this check starts from them.
        keep = os.path.join(KERNEL, "series-check")
        os.makedirs(keep, exist_ok=True)
        tree = os.path.join(keep, "tree")
        if not os.path.isdir(tree):
            subprocess.run(["cp", "-a", STOCK, tree], check=True)
        check_architectures(repo, touched, tree, keep)
        check_each(repo, touched, tree, keep)
    print(f"{len(mails) - 1} patches and a cover letter in {opts.outdir}")
    return 1 if bad else 0


def main():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("--check-builds", action="store_true")
    p.add_argument("outdir", nargs="?", default=os.path.join(KERNEL, "series"))
    opts = p.parse_args()
    work = os.path.realpath(tempfile.mkdtemp(prefix="kernel-series-"))
    try:
        return make_series(opts, work)
    except (CheckError, series.SeriesError) as e:
        print(f"not ok - {e}")
        return 1
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    sys.exit(main())
