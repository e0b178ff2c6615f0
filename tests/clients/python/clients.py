"""The two clients of python-socketio behind one face, so that one scenario is written once for both."""

import asyncio
import threading

import socketio

from harness import DEADLINE_SECONDS, Inbox, until

TRANSPORTS = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": None}
EVENTS = ("auth", "message-back", "news")


class Loop:
    """An event loop in a thread, for the asyncio client."""

    def __init__(self):
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(DEADLINE_SECONDS * 2)


LOOP = Loop()


class Peer:
    """One client and what it has heard, in every namespace."""

    def __init__(self, kind, mode, **options):
        self.mode = mode
        self.is_async = kind == "asyncio"
        self.inbox = Inbox()
        self.sio = (socketio.AsyncClient if self.is_async else socketio.Client)(
            **{"reconnection": False, "handle_sigint": False, **options}
        )

    def _do(self, result):
        return LOOP.run(result) if self.is_async else result

    def listen(self, nsp="/"):
        for name in EVENTS:
            self.on(name, lambda *args, name=name: self.inbox.put(name, list(args)), nsp)
        self.on("connect", lambda: self.inbox.put("connect", nsp), nsp)
        self.on("connect_error", lambda *args: self.inbox.put("refused", args[0] if args else None), nsp)
        self.on("disconnect", lambda reason: self.inbox.put("disconnect", reason), nsp)

    def on(self, event, handler, nsp="/"):
        self.sio.on(event, handler, namespace=nsp)

    def connect(self, url, nsps=("/",), auth=None):
        for nsp in nsps:
            self.listen(nsp)
        arguments = {"auth": auth, "namespaces": list(nsps), "wait_timeout": DEADLINE_SECONDS}
        self._do(self.sio.connect(url, transports=TRANSPORTS[self.mode], **arguments))
        if self.mode == "upgrade":
            until("no upgrade", lambda: self.transport == "websocket")
        return self

    @property
    def transport(self):
        return self.sio.transport()

    def id(self, nsp="/"):
        return self.sio.get_sid(nsp)

    def emit(self, event, *args, nsp="/"):
        self._do(self.sio.emit(event, args or None, namespace=nsp))

    def ask(self, event, *args, nsp="/"):
        """Emits with an ack request: the arguments of the answer as a list."""
        answer = self._do(self.sio.call(event, args or None, namespace=nsp, timeout=DEADLINE_SECONDS))
        if isinstance(answer, tuple):
            return list(answer)
        return [] if answer is None else [answer]

    def ctl(self, op, nsp="/", **params):
        [reply] = self.ask(f"ctl:{op}", params, nsp=nsp)
        assert reply["ok"] is True, reply
        return reply

    def next(self, name):
        return self.inbox.next(name)

    def disconnect(self):
        self._do(self.sio.disconnect())

    def close(self):
        self._do(self.sio.shutdown())

    def reason_of(self, sid):
        """Waits for the end of a socket and gives the server's reason."""

        def entry():
            return self.ctl("journal", type="disconnect", id=sid)["entries"]

        return until(f"the end of {sid} is not in the journal", entry)[0]["reason"]
