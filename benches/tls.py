"""A WebSocket over TLS that carries many bytes, for a capture of it:

    python3 benches/tls.py MEGABYTES CERTIFICATE KEYLOG [SUITE]

listens on 127.0.0.1:9443 with a certificate (PEM, with its key), talks to itself, and writes the secrets. SUITE is a name of
OpenSSL for TLS 1.2; without it, it is what TLS 1.3 agrees on.
"""

import base64
import hashlib
import os
import socket
import ssl
import struct
import sys
import threading

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
PAYLOAD = 16_000
CLOSE = b"\x88\x02\x03\xe8"

megabytes, certificate, keylog, *suite = sys.argv[1:]
near, far = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
near.load_cert_chain(certificate)
far.check_hostname, far.verify_mode, far.keylog_filename = False, ssl.CERT_NONE, keylog
for context in (near, far):
    if suite:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(suite[0] + ":@SECLEVEL=0")


def serve(listener):
    with near.wrap_socket(listener.accept()[0], server_side=True) as peer:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += peer.recv(4096)
        key = head.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        peer.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        frame = b"\x82\x7e" + struct.pack(">H", PAYLOAD) + os.urandom(PAYLOAD)
        for _ in range((int(megabytes) << 20) // PAYLOAD):
            peer.sendall(frame)
        peer.sendall(CLOSE)
        peer.recv(100)


listener = socket.create_server(("127.0.0.1", 9443))
server = threading.Thread(target=serve, args=[listener], daemon=True)
server.start()
with far.wrap_socket(socket.create_connection(listener.getsockname())) as peer:
    peer.sendall(
        b"GET /bulk HTTP/1.1\r\nHost: edge.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + base64.b64encode(os.urandom(16)) + b"\r\n\r\n"
    )
    tail = b""
    while not tail.endswith(CLOSE):
        tail = tail[-3:] + peer.recv(1 << 16)
    print(*peer.cipher())
    peer.sendall(b"\x88\x82\0\0\0\0\x03\xe8")
    server.join(5)
