#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""A forking server: Apache prefork with 50 workers, and 50 clients at the same time."""
import http.client
import os
import shutil
import subprocess
import sys
import tempfile
import time

WORKERS = 50
PORT = 8642
FILE_BYTES = 65536
PATIENCE = 120  # seconds

CONFIG = """
ServerRoot {root}
ServerName localhost
PidFile {root}/pid
ErrorLog {root}/log
Listen 127.0.0.1:{port}
LoadModule mpm_prefork_module /usr/lib/apache2/modules/mod_mpm_prefork.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
User nobody
Group nogroup
StartServers {workers}
MinSpareServers 1
MaxSpareServers {workers}
ServerLimit {workers}
MaxRequestWorkers {workers}
KeepAlive On
KeepAliveTimeout 60
DocumentRoot {root}/www
"""


def workers_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
        return len(children.read().split())


def connect_all(server):
    deadline = time.monotonic() + PATIENCE
    while workers_of(server.pid) < WORKERS:
        if server.poll() is not None or time.monotonic() > deadline:
            sys.exit("apache.py: the workers do not come up")
        time.sleep(0.02)
    # A worker serves one connection as long as that is kept alive: each gets one.
    clients = []
    for _ in range(WORKERS):
        client = http.client.HTTPConnection("127.0.0.1", PORT, timeout=PATIENCE)
        client.request("GET", "/file")
        reply = client.getresponse()
        if reply.status != 200 or len(reply.read()) != FILE_BYTES:
            sys.exit("apache.py: wrong reply")
        clients.append(client)
    time.sleep(0.2)
    return clients


def main():
    root = tempfile.mkdtemp()
    os.chmod(root, 0o755)
    os.mkdir(root + "/www")
    with open(root + "/www/file", "wb") as file:
        file.write(b"x" * FILE_BYTES)
    with open(root + "/conf", "w", encoding="ascii") as conf:
        conf.write(CONFIG.format(root=root, port=PORT, workers=WORKERS))
    server = subprocess.Popen(
        ["/usr/sbin/apache2", "-D", "FOREGROUND", "-f", root + "/conf"],
        start_new_session=True)  # it ends by a signal to its process group
    try:
        clients = connect_all(server)
        for client in clients:
            client.close()
    finally:
        server.terminate()
        server.wait(PATIENCE)
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
