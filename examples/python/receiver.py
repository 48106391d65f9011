"""A receiver of Tallyhook's webhooks on Python 3.9 or newer, without dependencies.

See ../README.md.
"""

import json
import os
import re
import signal
import sqlite3
import sys
import threading
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer

from verify import verify

BODY_BYTES_MAX = 1_048_576
# Work that failed is tried again after this time, or when the next webhook comes.
AGAIN_SECONDS = 30


class Inbox:
    """What has come, and what is done of it. The unique id makes a webhook count once."""

    def __init__(self, path):
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._run("PRAGMA journal_mode = WAL")
        self._run(
            "CREATE TABLE IF NOT EXISTS inbox (n INTEGER PRIMARY KEY,"
            " id TEXT UNIQUE NOT NULL, body BLOB NOT NULL, done INTEGER DEFAULT 0)"
        )

    def keep(self, message_id, body):
        self._run("INSERT OR IGNORE INTO inbox (id, body) VALUES (?, ?)", message_id, body)

    def next(self, after):
        rows = self._run(
            "SELECT n, id, body FROM inbox WHERE done = 0 AND n > ? ORDER BY n LIMIT 1", after
        )
        return rows[0] if rows else None

    def mark_done(self, n):
        self._run("UPDATE inbox SET done = 1 WHERE n = ?", n)

    def _run(self, sql, *values):
        with self._lock:
            return self._db.execute(sql, values).fetchall()


class Handler(BaseHTTPRequestHandler):
    """Verifies, keeps, answers; the work comes later."""

    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_POST(self):
        length = self.headers.get("content-length", "")
        if not re.fullmatch(r"[0-9]{1,12}", length):
            return self._refuse(411, "a body needs its content-length")
        if int(length) > BODY_BYTES_MAX:
            return self._refuse(413, "above 1 MiB")
        body = self.rfile.read(int(length))
        if len(body) < int(length) or not verify(self.server.secrets, self.headers, body):
            return self._refuse(401, "no valid signature, or more than 5 minutes off")

        try:
            self.server.inbox.keep(self.headers["webhook-id"], body)
        except sqlite3.Error as error:
            # Not a 2xx, so it is sent again.
            say(f"not kept: {error}", sys.stderr)
            return self._answer(500)
        self._answer(202)
        self.server.something_came.set()

    def _refuse(self, status, reason):
        """Tallyhook keeps the answer to what it sent in vain: it says what is wrong."""
        say(f"refused with {status}: {reason}", sys.stderr)
        self._answer(status, reason)

    def _answer(self, status, text=""):
        body = text.encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        if status in (411, 413):
            # The body was not read, so that nothing can follow it.
            self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Silent: what was worked is printed instead."""


class Receiver(ThreadingTCPServer):
    """Not the HTTPServer of http.server, which asks DNS for its own name and may wait for it."""

    allow_reuse_address = True
    daemon_threads = True
    # The default of 5 refuses connections as soon as many webhooks come at once.
    request_queue_size = 128

    def __init__(self, port, secrets, inbox):
        super().__init__(("127.0.0.1", port), Handler)
        self.secrets = secrets
        self.inbox = inbox
        self.something_came = threading.Event()

    def work_off(self):
        """Goes for ever through what is not done."""
        while True:
            self.something_came.clear()
            row = self.inbox.next(0)
            while row:
                n, message_id, body = row
                try:
                    work(json.loads(body))
                    # A crash just before this line repeats the work. If the work writes to
                    # this database, let it mark the row in the same transaction.
                    self.inbox.mark_done(n)
                except Exception as error:
                    say(f"{message_id} failed, and is tried again: {error}", sys.stderr)
                row = self.inbox.next(n)
            self.something_came.wait(AGAIN_SECONDS)


def say(line, to=sys.stdout):
    """One write per line: print() makes two, and another thread may come between them."""
    to.write(f"{line}\n")
    to.flush()


def work(event):
    """Your work. What comes is `{ id, type, timestamp, data }`."""
    say(f"worked {event['id']} {event['type']}")


def main():
    # More than one while you move from an old secret to a new one.
    secrets = os.environ.get("WEBHOOK_SECRET", "").split()
    if not secrets or not all(re.fullmatch(r"whsec_[A-Za-z0-9+/]{32,}=*", it) for it in secrets):
        sys.exit("WEBHOOK_SECRET must be the whsec_... of your endpoint")

    inbox = Inbox(os.environ.get("INBOX", "inbox.db"))
    receiver = Receiver(int(os.environ.get("PORT", "4000")), secrets, inbox)
    threading.Thread(target=receiver.work_off, daemon=True).start()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        say(f"receiving at http://127.0.0.1:{receiver.server_address[1]}/")
        receiver.serve_forever()
    except KeyboardInterrupt:
        receiver.server_close()


if __name__ == "__main__":
    main()
