"""``make run``: the application under gunicorn, until Ctrl-C.

``PORT`` chooses the port. An application that has handled nothing yet is sent some deliveries;
``SAMPLE_FILL=no`` leaves it empty.
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import sys
from pathlib import Path

from sample_app import DEMO_SECRET
from sample_app.filling import fill, is_empty
from sample_app.server import ServerError, interrupt_on_termination, serving

#: Opens the console to this machine.
DEVELOPMENT = {"FLASK_DEBUG": "1"}


def main() -> int:
    interrupt_on_termination()
    port = os.environ.get("PORT", "0")
    if not port.isascii() or not port.isdigit() or int(port) > 65535:
        print(f"PORT is {port!r}; it must be a number up to 65535", file=sys.stderr)
        return 2
    try:
        with serving(int(port), settings=DEVELOPMENT) as server:
            if os.environ.get("SAMPLE_FILL") != "no" and is_empty(server.url):
                fill(server.url, os.environ.get("SAMPLE_SECRET") or DEMO_SECRET)
            print(_welcome(server.url), flush=True)
            return server.process.wait()
    except (ServerError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped")
        return 0


def _welcome(url: str) -> str:
    endpoint = f"{url}/hooks/support"
    return f"""
  {url}/ shows what the handlers did, and {url}/ops the console of hookkit.
  Send it something from another terminal:

  {_hookkit()} send {endpoint} --secret {_secret()}

  {_hookkit()} send {url}/hooks/chat --provider livechat --secret {_secret("chat-")}

  {_curl(endpoint)}

  The last line sent again is a redelivery: answered with 200, and not handled again.
  Ctrl-C ends it.
"""


def _hookkit() -> str:
    """Return the command line of the command that belongs to this Python."""
    script = Path(sys.executable).with_name("hookkit")
    if not script.exists():
        return f"{shlex.quote(sys.executable)} -m hookkit.cli.main"
    here = Path.cwd()
    return shlex.quote(str(script.relative_to(here) if script.is_relative_to(here) else script))


def _curl(endpoint: str) -> str:
    message = {
        "id": secrets.token_hex(12),
        "author": {"type": "user", "displayName": "curl"},
        "content": {"type": "text", "text": "Where is my order?"},
    }
    event = {
        "id": secrets.token_hex(12),
        "type": "conversation:message",
        "payload": {"conversation": {"id": secrets.token_hex(12)}, "message": message},
    }
    body = json.dumps({"webhook": {"version": "v2"}, "events": [event]})
    return f"curl {endpoint} -H X-API-Key:{_secret()} --data {shlex.quote(body)}"


def _secret(prefix: str = "") -> str:
    # Your own secret is not shown: you know where you have set it.
    if os.environ.get("SAMPLE_SECRET"):
        return f'"{prefix}$SAMPLE_SECRET"'
    return f"{prefix}{DEMO_SECRET}"


if __name__ == "__main__":
    sys.exit(main())
