"""Runs the application by uvicorn on uvloop and httptools, in as many processes as there are to be workers."""

import os
import signal
import sys

import uvicorn
from uvicorn.supervisors import Multiprocess

if __name__ == "__main__":
    # uvicorn hears it, serves what it has, and raises it again: that is no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    config = uvicorn.Config(
        "app:app",
        host="127.0.0.1",
        port=int(os.environ.get("PORT") or 0),
        workers=int(os.environ.get("WORKERS") or 1),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=1,
    )
    # What uvicorn.run does as well, with the address on the way.
    listener = config.bind_socket()
    listener.listen(config.backlog)
    # Connections wait there until it serves.
    print("listening on http://{}:{}".format(*listener.getsockname()), flush=True)
    if config.workers > 1:
        Multiprocess(config, sockets=[listener]).run()
    else:
        uvicorn.Server(config).run(sockets=[listener])
