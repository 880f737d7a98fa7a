"""The same packets to several servers at once, over UDP or TCP."""

import socket
import struct

from compare_wire import Malformed, read

TIMEOUT_S, TRIES = 3, 3


class Asker:
    """Sockets of its own to each server; `servers` is {name: (address, port)}."""

    def __init__(self, servers):
        self.servers, self.udp, self.tcp, self.next_id = servers, {}, {}, 0
        for name, address in servers.items():
            self.udp[name] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.udp[name].settimeout(TIMEOUT_S)
            self.udp[name].connect(address)

    def close(self):
        for sock in (*self.udp.values(), *self.tcp.values()):
            sock.close()

    def number(self):
        self.next_id = self.next_id % 65_535 + 1
        return self.next_id

    def ask(self, packet, tcp):
        """{server: answer's bytes, or None where none came}; each is asked before the first is waited for."""
        for name in self.servers:
            self.send(name, packet, tcp)
        return {name: self.receive(name, packet, tcp) for name in self.servers}

    def send(self, name, packet, tcp):
        if not tcp:
            self.udp[name].send(packet)
            return
        framed = struct.pack(">H", len(packet)) + packet
        try:
            self.connected(name).sendall(framed)
        except OSError:
            self.reconnect(name).sendall(framed)

    def connected(self, name):
        return self.tcp.get(name) or self.reconnect(name)

    def reconnect(self, name):
        if old := self.tcp.pop(name, None):
            old.close()
        self.tcp[name] = socket.create_connection(self.servers[name], TIMEOUT_S)
        return self.tcp[name]

    def receive(self, name, packet, tcp):
        for _ in range(TRIES):
            try:
                answer = self.receive_tcp(name) if tcp else self.receive_udp(name, packet[:2])
                if answer is not None:
                    return answer
            except TimeoutError:
                pass
            # Lost, or the connection was closed for having been idle.
            if tcp:
                self.reconnect(name)
            self.send(name, packet, tcp)
        return None

    def receive_udp(self, name, its_id):
        while True:
            answer = self.udp[name].recv(65_535)
            if answer[:2] == its_id:
                return answer

    def receive_tcp(self, name):
        sock = self.tcp[name]
        try:
            head = exactly(sock, 2)
            return head and exactly(sock, struct.unpack(">H", head)[0])
        except ConnectionError:
            return None

    def messages(self, packet, tcp):
        """{server: its message taken apart; a text where it is none}."""
        out = {}
        for name, answer in self.ask(packet, tcp).items():
            try:
                out[name] = read(answer) if answer is not None else "no answer"
            except Malformed as error:
                out[name] = f"malformed, {error}: {answer.hex()}"
        return out


def exactly(sock, count):
    """So many bytes; None where the connection ends before."""
    parts = b""
    while len(parts) < count:
        part = sock.recv(count - len(parts))
        if not part:
            return None
        parts += part
    return parts
