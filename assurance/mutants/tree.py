#!/usr/bin/env python3
"""Makes the tree that is mutated: `chain` and `registry` alone, each with its integration tests inside its own test binary.

    tree.py FROM TO

A mutant then costs one compiler run and one link instead of one for each test file. The sources and the tests are the
repository's, byte for byte, but for the last lines of each `lib.rs` and for the paths that tests in a folder call `crate::`.
A file that did not change keeps its time, so that nothing is rebuilt for it.
"""

import re
import shutil
import sys
from pathlib import Path

CRATES = {"chain": "dotp2p_chain", "registry": "dotp2p_registry"}
# What the two crates' tests read, besides themselves.
READ = ["Cargo.lock", "rust-toolchain.toml", "clippy.toml", ".cargo/mutants.toml", "tests/vectors", "examples"]


def workspace(manifest: str) -> str:
    """The root manifest without the root's package and without the other members."""
    sections = re.split(r"(?m)^(?=\[)", manifest)
    kept = "".join(s for s in sections if s.startswith(("[workspace", "[profile")))
    kept = re.sub(r"(?ms)^default-members = \[.*?\]\n", "", kept)
    return re.sub(r"(?ms)^members = \[.*?\]", f"members = {list(CRATES)}".replace("'", '"'), kept)


def write(path: Path, content: bytes) -> None:
    if not path.is_file() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def crate(root: Path, crate_name: str, name: str, out: dict[str, bytes]) -> None:
    """One crate's files, its integration tests as modules of the library's tests."""
    for path in sorted((root / name).rglob("*")):
        if path.is_file():
            out[str(path.relative_to(root))] = path.read_bytes()
    modules = [f"\n#[cfg(test)]\nextern crate self as {crate_name};\n"]
    tests = root / name / "tests"
    for main in sorted([*tests.glob("*.rs"), *tests.glob("*/main.rs")]):
        relative = main.relative_to(tests)
        module = "tests_" + (relative.stem if relative.name != "main.rs" else relative.parts[0])
        modules.append(f'#[cfg(test)]\n#[path = "../tests/{relative}"]\nmod {module};\n')
        if relative.name == "main.rs":
            for file in main.parent.rglob("*.rs"):
                key = str(file.relative_to(root))
                out[key] = re.sub(rb"\bcrate::", f"crate::{module}::".encode(), out[key])
    out[f"{name}/src/lib.rs"] += "".join(modules).encode()
    # Their own binaries would be built for nothing.
    manifest = out[f"{name}/Cargo.toml"].decode()
    out[f"{name}/Cargo.toml"] = manifest.replace("[package]\n", "[package]\nautotests = false\n", 1).encode()


def main() -> None:
    root, to = Path(sys.argv[1]), Path(sys.argv[2])
    out = {"Cargo.toml": workspace((root / "Cargo.toml").read_text()).encode()}
    for name, crate_name in CRATES.items():
        crate(root, crate_name, name, out)
    for name in READ:
        path = root / name
        files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
        out |= {str(file.relative_to(root)): file.read_bytes() for file in files}
    # cargo drops from the lock file what two crates do not need; taken anew only where the repository's has changed.
    taken = to / "Cargo.lock.taken"
    lock = out.pop("Cargo.lock")
    if not taken.is_file() or taken.read_bytes() != lock:
        out |= {"Cargo.lock": lock, "Cargo.lock.taken": lock}
    for top in ["chain", "registry", "tests", "examples"]:
        for file in (to / top).rglob("*"):
            if file.is_file() and str(file.relative_to(to)) not in out:
                file.unlink()
    for relative, content in out.items():
        write(to / relative, content)


if __name__ == "__main__":
    main()
