"""The API over real HTTP, without the reading."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import uvicorn

from orders_service.app import create_app


@dataclass
class Answer:
    status: int
    text: str
    headers: dict[str, str]

    def json(self):
        return json.loads(self.text)


class Client:
    def __init__(self, address):
        self.address = address

    def get(self, path, **asked):
        question = f"?{urlencode(asked)}" if asked else ""
        try:
            answer = urllib.request.urlopen(self.address + quote(path, safe="/%") + question, timeout=20)
        except urllib.error.HTTPError as refused:
            answer = refused
        with answer:
            return Answer(answer.status, answer.read().decode(), {name.lower(): text for name, text in answer.headers.items()})


@contextlib.contextmanager
def client(settings):
    """Gives a client, and what the application works with."""
    app = create_app(settings)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    app.state.parts.pool.open(wait=False)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield Client(f"http://127.0.0.1:{listening.getsockname()[1]}"), app.state.parts
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
        app.state.parts.pool.close()
