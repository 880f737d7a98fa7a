"""What a power cut may leave of the files that a process wrote: the shim's log, replayed on a model of a file system.

The model is POSIX taken strictly. What was written to a file is durable once that file was synced (fsync or fdatasync, by
whatever descriptor). A name (made, moved, removed) is durable once the folder it stands in was synced; a file whose own
folder's name was not is lost with it. Nothing else is durable, and sync_file_range never makes anything so. Until then
each change may or may not have reached the disk, in any order, a write also by single sectors of 512 bytes. A rename in
one folder is one step. Real file systems promise more: ext4 in its default mode keeps the order of names.
"""

import json
import os
import struct

HEAD = struct.Struct("<IcIiqqHH")
O_CREAT, O_TRUNC = os.O_CREAT, os.O_TRUNC
SECTOR = 512


class File:
    """Bytes on the disk, bytes as the process sees them, and the changes between the two."""

    def __init__(self):
        self.durable, self.live, self.pending = bytearray(), bytearray(), []

    def change(self, at, data):
        """Writes `data` at `at`; without data, sets the length."""
        apply(self.live, at, data)
        self.pending.append((at, data))

    def sync(self):
        """Whether there was anything to sync."""
        for at, data in self.pending:
            apply(self.durable, at, data)
        done = bool(self.pending)
        self.pending.clear()
        return done

    def torn(self, rng, keep):
        """What is durable and some of the rest, in whole or in part."""
        left = bytearray(self.durable)
        for at, data in self.pending:
            what = rng.random()
            if what < keep:
                apply(left, at, data)
            elif what < keep + (1 - keep) / 2 and data:
                sectors = list(pieces(at, data, rng.choice((SECTOR, 4096))))
                chosen = sectors[:rng.randrange(len(sectors) + 1)] if rng.random() < 0.5 else \
                    [it for it in sectors if rng.random() < 0.5]
                for start, piece in chosen:
                    apply(left, start, piece)
        return left


class Folder:
    """Names on the disk, names as the process sees them, and the steps between the two."""

    def __init__(self):
        self.durable, self.live, self.pending = {}, {}, []

    def change(self, *step):
        """One step: (name, node) pairs, None for a name that is gone."""
        put(self.live, step)
        self.pending.append(step)

    def sync(self):
        for step in self.pending:
            put(self.durable, step)
        done = bool(self.pending)
        self.pending.clear()
        return done

    def torn(self, rng, keep):
        left = dict(self.durable)
        for step in self.pending:
            if rng.random() < keep:
                put(left, step)
        return left


def apply(content, at, data):
    if data is None:
        del content[at:]
    if len(content) < at:
        content.extend(bytes(at - len(content)))
    if data is not None:
        content[at:at + len(data)] = data


def put(names, step):
    for name, node in step:
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


def pieces(at, data, size):
    """The parts of a write between multiples of `size` in the file."""
    start = 0
    while start < len(data):
        end = min(len(data), start + size - (at + start) % size)
        yield at + start, data[start:end]
        start = end


class Disk:
    """A tree of files below one folder, as the log's records change it."""

    def __init__(self, root):
        self.root, self.tree, self.open = str(root), Folder(), {}
        self.changes = self.syncs = 0  # That made the live, and the durable, files others than they were.

    def find(self, path):
        node = self.tree
        for part in path[len(self.root):].strip("/").split("/"):
            node = node.live[part] if part else node
        return node

    def parent(self, path):
        above, _, name = path.rpartition("/")
        return self.find(above), name

    def take(self, kind, pid, fd, a, one, two, data):
        """One record of the log."""
        self.changes += kind in "WTMURL"
        file = self.open.get((pid, fd))
        if kind == "O":
            self.open[pid, fd] = self.opened(one, a)
        elif kind == "D":
            self.open[pid, a] = file
        elif kind == "W":
            file.change(a, data)
        elif kind == "T":
            file.change(a, None) if a < len(file.live) else file.change(a, b"")
        elif kind == "S":
            self.syncs += file.sync()
        elif kind == "M":
            folder, name = self.parent(one)
            folder.change((name, Folder()))
        elif kind == "U":
            folder, name = self.parent(one)
            folder.change((name, None))
        elif kind in "RL":
            node, (source, old), (target, new) = self.find(one), self.parent(one), self.parent(two)
            if kind == "L":
                target.change((new, node))
            elif source is target:
                source.change((old, None), (new, node))
            else:
                target.change((new, node))
                source.change((old, None))
        elif kind != "G":
            raise ValueError(f"a call that is not modelled: {kind} {one} {two}")

    def opened(self, path, flags):
        if path == self.root:
            return self.tree
        folder, name = self.parent(path)
        node = folder.live.get(name)
        if node is None:
            node = File()
            folder.change((name, node))
            self.changes += 1
        elif flags & O_TRUNC and node.live:
            node.change(0, None)
            self.changes += 1
        return node

    def write(self, path, files, names):
        """Puts the tree at `path`; `files` and `names` say what of a file and of a folder is there."""
        todo = [(self.tree, str(path))]
        while todo:
            node, at = todo.pop()
            if isinstance(node, Folder):
                os.mkdir(at, 0o700)
                todo.extend((child, f"{at}/{name}") for name, child in names(node).items())
            else:
                with open(os.open(at, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                    file.write(files(node))

    def dropped(self, path):
        """The image with nothing but what was synced."""
        self.write(path, lambda node: node.durable, lambda node: node.durable)

    def kept(self, path):
        """The image with everything, as after a kill."""
        self.write(path, lambda node: node.live, lambda node: node.live)

    def torn(self, path, rng):
        """An image with some of what was not synced."""
        keep = rng.choice((0.1, 0.5, 0.9))
        self.write(path, lambda node: node.torn(rng, keep), lambda node: node.torn(rng, keep))


def records(path):
    """The log's records: (kind, pid, fd, a, path, second path, bytes)."""
    with open(path, "rb") as log:
        data = memoryview(log.read())
    at = 0
    while at < len(data):
        total, kind, pid, fd, a, _, len1, len2 = HEAD.unpack_from(data, at)
        one, two = at + HEAD.size, at + HEAD.size + len1
        yield (kind.decode(), pid, fd, a, bytes(data[one:two]).decode(), bytes(data[two:two + len2]).decode(),
               bytes(data[two + len2:at + total]))
        at += total


def mark(log, what):
    """Writes what was acknowledged into the log, as of now."""
    data = json.dumps(what).encode()
    with open(log, "ab", buffering=0) as file:
        file.write(HEAD.pack(HEAD.size + len(data), b"K", os.getpid(), -1, 0, 0, 0, 0) + data)
