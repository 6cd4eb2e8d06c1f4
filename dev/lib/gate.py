"""Stands between the bridge and a server, and kills the bridge at a named moment of their conversation.

Sources: Kafka protocol guide, "Request Header" and "API keys"; PostgreSQL manual, "Message Formats" and "Streaming
Replication Protocol".
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Protocol

CHUNK = 1 << 16
KAFKA = {0: "Produce", 1: "Fetch", 22: "InitProducerId", 24: "AddPartitionsToTxn", 26: "EndTxn"}
ASKED, SENT, PASSED, ANSWERED = "not yet sent", "just sent", "not yet answered", "just answered"
"""The server has not seen the request; may be about to; has done it, and the bridge does not know; both know."""
Split = Callable[[bytes], Iterator[tuple[bytes, str]]]


class Speech(Protocol):
    """Splits what the two sides say into messages and gives those that can be a moment a name."""

    def asks(self, data: bytes) -> Iterator[tuple[bytes, str]]: ...

    def answers(self, data: bytes) -> Iterator[tuple[bytes, str]]: ...


class KafkaSpeech:
    def __init__(self) -> None:
        self._up, self._down = b"", b""
        self._asked: dict[int, str] = {}

    def asks(self, data: bytes) -> Iterator[tuple[bytes, str]]:
        self._up += data
        while (end := self._end(self._up)) is not None:
            frame, self._up = self._up[:end], self._up[end:]
            key, _version, correlation = struct.unpack_from(">hhi", frame, 4)
            name = KAFKA.get(key, "")
            self._asked[correlation] = name
            yield frame, name

    def answers(self, data: bytes) -> Iterator[tuple[bytes, str]]:
        self._down += data
        while (end := self._end(self._down)) is not None:
            frame, self._down = self._down[:end], self._down[end:]
            yield frame, self._asked.pop(struct.unpack_from(">i", frame, 4)[0], "")

    @staticmethod
    def _end(data: bytes) -> int | None:
        if len(data) < 8:
            return None
        end = 4 + int(struct.unpack_from(">i", data)[0])
        return end if len(data) >= end else None


class PostgresSpeech:
    """Requests that matter are START_REPLICATION, answered by CopyBothResponse, and status updates, never answered."""

    def __init__(self) -> None:
        self._up, self._greeted = b"", False
        self._started = False

    def asks(self, data: bytes) -> Iterator[tuple[bytes, str]]:
        self._up += data
        while True:
            head = 1 if self._greeted else 0
            if len(self._up) < head + 4:
                return
            end = head + int(struct.unpack_from(">i", self._up, head)[0])
            if len(self._up) < end:
                return
            frame, self._up = self._up[:end], self._up[end:]
            # A request for TLS is greeting too, and another follows.
            self._greeted = self._greeted or struct.unpack_from(">i", frame, 4)[0] == 3 << 16
            if frame.startswith(b"Q") and frame[5:].startswith(b"START_REPLICATION"):
                self._started = True
                yield frame, "START_REPLICATION"
            elif frame.startswith(b"d") and frame[5:6] == b"r":
                yield frame, "Standby status update"
            else:
                yield frame, ""

    def answers(self, data: bytes) -> Iterator[tuple[bytes, str]]:
        started, self._started = self._started, False
        yield data, "START_REPLICATION" if started else ""


class Gate:
    """Listens on `front` and connects to `behind`."""

    def __init__(self, front: int, behind: int, speech: Callable[[], Speech]) -> None:
        self.behind, self.speech = behind, speech
        self._armed: tuple[str, str] | None = None
        self._strike: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self.struck = threading.Event()
        self._closed = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", front), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, name: str, stage: str, strike: Callable[[], None]) -> None:
        """Once, at the next such moment: nothing more passes on that connection."""
        with self._lock:
            self.struck.clear()
            self._strike, self._armed = strike, (name, stage)

    def close(self) -> None:
        self._closed.set()
        # `close` alone does not wake the thread that waits in `accept`.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _due(self, name: str, stage: str) -> bool:
        with self._lock:
            if self._armed != (name, stage):
                return False
            self._armed = None
            self._strike()
            self.struck.set()
            return True

    def _accept(self) -> None:
        """One that fails is that connection's affair: whoever made it was killed, or the server is away."""
        while not self._closed.is_set():
            with contextlib.suppress(OSError), contextlib.ExitStack() as failed:
                front, _ = self._listener.accept()
                failed.callback(front.close)
                behind = socket.create_connection(("127.0.0.1", self.behind), 5)
                failed.callback(behind.close)
                behind.settimeout(None)
                for side in (front, behind):
                    side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                speech = self.speech()
                ways = ((front, behind, speech.asks, (ASKED, SENT)), (behind, front, speech.answers, (PASSED, ANSWERED)))
                for way in ways:
                    threading.Thread(target=self._carry, args=way, daemon=True).start()
                failed.pop_all()

    def _carry(self, source: socket.socket, target: socket.socket, split: Split, stages: tuple[str, str]) -> None:
        before, after = stages
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                for frame, name in split(data):
                    if self._due(name, before):
                        raise ConnectionAbortedError
                    target.sendall(frame)
                    if self._due(name, after):
                        raise ConnectionAbortedError
        for side in (source, target):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
