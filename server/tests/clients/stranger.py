"""A client of Duet that was written from the protocol's page (crates/protocol/README.md) alone.

It needs Python 3.9 and its standard library. `python3 stranger.py http://127.0.0.1:3000` makes two
people there, lets them talk in every way that the page describes, and ends with 0 and "all done".
A test of the server runs it. What it needs to know and the page does not say is a fault of the page.
"""

import base64
import hashlib
import http.client
import json
import os
import secrets
import socket
import struct
import sys
import time
import urllib.parse

PATIENCE = 60.0


class Refused(Exception):
    """The server said no."""

    def __init__(self, status, code, retry_after_ms=None):
        super().__init__(f"{status} {code}")
        self.status, self.code, self.retry_after_ms = status, code, retry_after_ms


class Unreached(Exception):
    """Nothing is known of what was done."""


def uuid7():
    """A version 7 UUID: 48 bits of milliseconds, then randomness."""
    value = (int(time.time() * 1000) << 80) | secrets.randbits(80)
    value = value & ~(0xF << 76) | (7 << 76)
    value = value & ~(0x3 << 62) | (2 << 62)
    digits = f"{value:032x}"
    return "-".join([digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]])


class Client:
    """One person at one server: the calls, and the session's cookie."""

    def __init__(self, origin):
        self.origin = origin
        url = urllib.parse.urlsplit(origin)
        self.host, self.port = url.hostname, url.port or 80
        self.cookie = None

    def form(self, name, **fields):
        kind = "application/x-www-form-urlencoded"
        return self._call(name, kind, urllib.parse.urlencode(fields).encode())

    def json(self, name, **fields):
        return self._call(name, "application/json", json.dumps(fields).encode())

    def _call(self, name, kind, body, **more):
        headers = {"Origin": self.origin, "Content-Type": kind, "Accept": "application/json"}
        return self.request("POST", f"/api/{name}", body, {**headers, **more})

    def request(self, method, path, body, headers):
        if self.cookie:
            headers["Cookie"] = self.cookie
        connection = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
            for cookie in answer.headers.get_all("Set-Cookie") or []:
                pair, *attributes = [part.strip() for part in cookie.split(";")]
                if "device" in pair.split("=")[0]:
                    continue
                ended = any(part.lower() == "max-age=0" for part in attributes)
                self.cookie = None if ended else pair
        finally:
            connection.close()
        try:
            value = json.loads(text)
        except ValueError:
            raise Unreached(f"{answer.status}, and no JSON: {text!r}") from None
        if answer.status == 200:
            return value
        refusal = value["refused"]
        raise Refused(answer.status, refusal["code"], refusal.get("retry_after_ms"))

    def connect(self):
        return Socket(self)


class Socket:
    """A WebSocket (RFC 6455) that speaks duet.v1."""

    def __init__(self, client, protocol="duet.v1"):
        self.socket = socket.create_connection((client.host, client.port), timeout=PATIENCE)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            "GET /ws HTTP/1.1",
            f"Host: {client.host}:{client.port}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key}",
            f"Sec-WebSocket-Protocol: {protocol}",
            f"Origin: {client.origin}",
        ]
        if client.cookie:
            lines.append(f"Cookie: {client.cookie}")
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.read = self.socket.makefile("rb")
        status = int(self.read.readline().split()[1])
        headers = {}
        while (line := self.read.readline().strip()) != b"":
            name, value = line.decode().split(":", 1)
            headers[name.strip().lower()] = value.strip()
        if status != 101:
            body = self.read.read(int(headers["content-length"]))
            self.socket.close()
            refusal = json.loads(body)["refused"]
            raise Refused(status, refusal["code"], refusal.get("retry_after_ms"))
        digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        assert headers["sec-websocket-accept"] == base64.b64encode(digest).decode()
        assert headers["sec-websocket-protocol"] == "duet.v1"
        self.closed_with = None
        self.waiting = []
        self.hello = self.hear("hello")

    def say(self, **frame):
        self._send(1, json.dumps(frame).encode())

    def hear(self, kind, **fields):
        """The next frame of a kind with these fields. Others are kept for whoever asks for them."""
        def wanted(frame):
            named = all(frame.get(name) == value for name, value in fields.items())
            return frame["type"] == kind and named

        for frame in self.waiting:
            if wanted(frame):
                self.waiting.remove(frame)
                return frame
        while (frame := self._next()) is not None:
            if wanted(frame):
                return frame
            self.waiting.append(frame)
        raise EOFError(f"closed with {self.closed_with} instead of {kind}")

    def is_closed(self):
        """Waits for the end, and tells the close code."""
        while self._next() is not None:
            pass
        return self.closed_with

    def cut(self):
        """The line breaks, without a word."""
        self.read.close()
        self.socket.close()

    def _next(self):
        """The next text as a frame; `None` when the server has closed."""
        message = b""
        while True:
            head = self.read.read(2)
            if len(head) < 2:
                return None
            final, opcode, length = head[0] & 0x80, head[0] & 0x0F, head[1] & 0x7F
            if length == 126:
                (length,) = struct.unpack("!H", self.read.read(2))
            elif length == 127:
                (length,) = struct.unpack("!Q", self.read.read(8))
            payload = self.read.read(length)
            if opcode == 8:
                self.closed_with = struct.unpack("!H", payload[:2])[0] if payload else None
                self._send(8, payload[:2])
                self.cut()
                return None
            if opcode == 9:
                self._send(10, payload)
            elif opcode in (0, 1):
                message += payload
                if final:
                    return json.loads(message)

    def _send(self, opcode, payload):
        mask = os.urandom(4)
        length = len(payload)
        head = bytes([0x80 | opcode])
        if length < 126:
            head += bytes([0x80 | length])
        elif length < 1 << 16:
            head += bytes([0x80 | 126]) + struct.pack("!H", length)
        else:
            head += bytes([0x80 | 127]) + struct.pack("!Q", length)
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        self.socket.sendall(head + mask + masked)


class Timeline:
    """A conversation's messages by place: one merge for pages and events."""

    def __init__(self):
        self.messages = {}

    def merge(self, messages):
        for message in messages:
            known = self.messages.setdefault(message["seq"], message)
            assert known["client_id"] == message["client_id"], "a place is one message's for ever"

    def last(self):
        """Up to where there is no hole."""
        last = 0
        while last + 1 in self.messages:
            last += 1
        return last

    def bodies(self):
        return [self.messages[seq]["body"] for seq in sorted(self.messages)]


def catch_up(client, conversation, timeline):
    """Reads what is missing, page by page."""
    while True:
        page = client.json("load_history", id=conversation, cursor={"after": timeline.last()})
        timeline.merge(page["messages"])
        if timeline.last() >= page["last_seq"]:
            return page


def send(client, at, conversation, body, client_id=None):
    """Sends a message over a socket and waits for its answer."""
    client_id = client_id or uuid7()
    at.say(type="send", conversation=conversation, client_id=client_id, body=body)
    while True:
        for frame in list(at.waiting):
            if frame.get("client_id") == client_id and frame["type"] in ("sent", "refused"):
                at.waiting.remove(frame)
                return frame
        frame = at._next()
        if frame is None:
            raise EOFError(f"closed with {at.closed_with}")
        at.waiting.append(frame)


def refused(code, work, *arguments, **fields):
    try:
        work(*arguments, **fields)
    except Refused as refusal:
        assert refusal.code == code, f"{refusal.code} instead of {code}"
        return refusal
    raise AssertionError(f"not refused with {code}")


def sign_up_and_in(origin):
    """Two accounts. Passwords are the same in every spelling."""
    anna, bob = Client(origin), Client(origin)
    assert anna.form("sign_up", username="anna", display_name="Anna Berg", password="Café tulip-Harbor-92") is None
    assert bob.form("sign_up", username="bob", password="harbor-Tulip-92") is None
    refused("username_taken", Client(origin).form, "sign_up", username="ANNA", password="harbor-Tulip-92")
    refused("password_too_short", Client(origin).form, "sign_up", username="carl", password="short")
    refused("wrong_credentials", Client(origin).form, "sign_in", username="anna", password="not-the-Tulip")
    again = Client(origin)
    again.form("sign_in", username="anna", password="Cafe\u0301\u00a0tulip-Harbor-92")
    sessions = again.json("list_sessions")
    assert len(sessions) == 2 and sum(one["current"] for one in sessions) == 1
    again.form("sign_out")
    assert again.cookie is None
    return anna, bob


def find_each_other(anna, bob):
    people = anna.json("find_people", typed="bo")
    (found,) = [one for one in people if one["user"]["username"] == "bob"]
    assert set(found["presence"]) == {"online", "last_seen"}
    conversation = anna.form("open_conversation", peer=found["user"]["id"])
    me = bob.json("find_people", typed="anna")[0]["user"]
    assert me["display_name"] == "Anna Berg"
    assert bob.form("open_conversation", peer=me["id"]) == conversation
    results = bob.json("search", typed="berg ann")
    assert [one["id"] for one in results["conversations"]] == [conversation]
    assert (results["people"], results["yourself"], results["total"]) == ([], False, 1)
    assert bob.json("search", typed="bob", all=True)["yourself"] is True
    listed = anna.json("list_conversations", after=None)
    assert [one["id"] for one in listed["conversations"]] == [conversation]
    assert listed["has_more"] is False and listed.get("unread_elsewhere", []) == []
    entry = anna.json("get_conversation", id=conversation)
    assert entry["last"] is None and entry["last_seq"] == 0 and entry["unread"] == 0
    assert entry["mine"] == {"delivered": 0, "read": 0} == entry["theirs"]
    assert bob.json("list_requests", after=None)["conversations"] == [], "both opened it"
    assert bob.form("accept_request", id=conversation) is None
    return me, found["user"], conversation


def talk(anna, bob, me, peer, conversation):
    at_anna, at_bob = anna.connect(), bob.connect()
    assert at_anna.hello["user"]["id"] == me["id"]
    limits = at_anna.hello["limits"]
    assert limits == {"body_chars": 4000, "frame_bytes": 52096, "ping_every_ms": 25000}
    timeline = Timeline()
    catch_up(bob, conversation, timeline)

    first = uuid7()
    sent = send(anna, at_anna, conversation, "Hello, Bob!", first)
    assert (sent["type"], sent["seq"]) == ("sent", 1)
    again = send(anna, at_anna, conversation, "Hello, Bob!", first)
    assert again == sent, "a repeat gets the first answer"
    other = send(anna, at_anna, conversation, "Something else", first)
    assert (other["type"], other["code"]) == ("refused", "client_id_reused")
    for body, code in [(" \n", "body_blank"), ("x" * 4001, "body_too_long"), ("bell \a", "body_control_character")]:
        assert send(anna, at_anna, conversation, body)["code"] == code
    # Every character as two escapes: the longest spelling there is. json.dumps writes it so.
    assert send(anna, at_anna, conversation, "\U0001F600" * 4000)["type"] == "sent"
    called = anna.form("send_message", conversation=conversation, client_id=uuid7(), body="Without a socket", sender=me["id"])
    assert called["seq"] == 3 and called["conversation"] == conversation
    refused("unauthenticated", anna.form, "send_message", conversation=conversation, client_id=uuid7(), body="x", sender=peer["id"])

    while timeline.last() < 3:
        message = at_bob.hear("message", conversation=conversation)
        assert message["sender"] == me["id"]
        timeline.merge([message])
    at_bob.say(type="delivered", conversation=conversation, up_to=3)
    receipt = at_anna.hear("receipt", conversation=conversation, user=peer["id"], delivered=3)
    assert receipt["read"] == 0
    assert bob.json("get_conversation", id=conversation)["unread"] == 3
    at_bob.say(type="read", conversation=conversation, up_to=2)
    at_anna.hear("receipt", conversation=conversation, user=peer["id"], delivered=3, read=2)
    assert bob.form("mark_conversation", id=conversation, delivered=3, read=3) is None
    at_anna.hear("receipt", conversation=conversation, user=peer["id"], delivered=3, read=3)
    times = anna.json("tick_times", conversation=conversation)
    assert times["read"]["up_to"] == 3 and times["read"]["at"] > 0
    at_bob.say(type="read", conversation=conversation, up_to=99)
    assert at_bob.hear("refused", re="read")["code"] == "out_of_range"
    at_anna.say(type="typing", conversation=conversation, active=True)
    assert at_bob.hear("typing", conversation=conversation)["active"] is True
    at_anna.say(type="ping")
    at_anna.hear("pong")
    at_anna.say(type="nonsense")
    assert at_anna.hear("refused")["code"] == "malformed"
    assert anna.form("set_display_name", display_name="Anna B.")["display_name"] == "Anna B."
    assert at_bob.hear("user", id=me["id"])["display_name"] == "Anna B."
    assert bob.form("mute_conversation", id=conversation) is None
    at_bob.hear("changed", conversation=conversation)
    assert bob.json("get_conversation", id=conversation)["standing"] == {"muted_until": 8640000000000000}
    assert bob.form("mute_conversation", id=conversation, minutes=0) is None
    assert "standing" not in bob.json("get_conversation", id=conversation)
    return at_anna, at_bob, timeline


def come_back(anna, bob, at_anna, at_bob, conversation, timeline):
    """Bob's line breaks; he comes back, reads the gap, and has everything once and in order."""
    at_bob.cut()
    for n in range(60):
        assert send(anna, at_anna, conversation, f"line {n}")["type"] == "sent"
    back = bob.connect()
    assert back.hello["epoch"] == at_bob.hello["epoch"], "the same store: what is held stays good"
    page = catch_up(bob, conversation, timeline)
    assert timeline.last() == page["last_seq"] == 63
    assert timeline.bodies()[3:] == [f"line {n}" for n in range(60)]
    backwards = bob.json("load_history", id=conversation, cursor="latest")
    assert [one["seq"] for one in backwards["messages"]] == list(range(14, 64))
    older = bob.json("load_history", id=conversation, cursor={"before": 14})
    assert [one["seq"] for one in older["messages"]] == list(range(1, 14))
    around = bob.json("load_history", id=conversation, cursor={"around": 30})
    timeline.merge(around["messages"])
    refused("out_of_range", bob.json, "load_history", id=conversation, cursor={"after": 64})
    return back


def look_after_the_account(bob):
    settings = bob.json("get_settings")
    assert settings["privacy"] == {"receipts": True, "last_seen": True}
    assert bob.form("set_privacy", receipts="false", last_seen="true") is None
    assert bob.json("get_settings")["privacy"] == {"receipts": False, "last_seen": True}
    refused("wrong_password", bob.form, "change_password", current="not-it-at-all", new="another-Tulip-7")
    assert bob.form("change_password", current="harbor-Tulip-92", new="another-Tulip-7") is None
    assert bob.form("end_other_sessions") is None


def bring_someone(origin, anna):
    invitation = anna.form("create_invitation")
    assert len(invitation["token"]) == 43 and invitation["expires_at"] > time.time() * 1000
    carl = Client(origin)
    assert carl.json("get_invitation", token=invitation["token"])["inviter"]["username"] == "anna"
    conversation = carl.form("sign_up", username="carl", password="carls-Harbor-Tulip-92", invitation=invitation["token"])
    assert anna.json("get_conversation", id=conversation)["peer"]["user"]["username"] == "carl"
    refused("invitation_invalid", carl.form, "accept_invitation", token=invitation["token"])
    assert carl.form("delete_account", password="carls-Harbor-Tulip-92") is None
    assert anna.json("get_conversation", id=conversation)["peer"]["user"]["username"] == ""
    refused("peer_deleted", anna.form, "send_message", conversation=conversation, client_id=uuid7(), body="x")


def be_refused(origin, anna, conversation):
    """Everything that is refused is JSON, whoever refuses it."""
    stranger = Client(origin)
    assert refused("unauthenticated", stranger.json, "list_conversations", after=None).status == 401
    assert refused("not_found", anna.json, "get_conversation", id=uuid7()).status == 404
    assert refused("malformed", anna.json, "get_conversation", id="no id").status == 422
    assert refused("not_found", anna.form, "no_such_call").status in (400, 404)
    form = "application/x-www-form-urlencoded"
    too_long = {"Content-Length": "70000"}
    assert refused("malformed", anna._call, "send_message", form, b"", **too_long).status == 413
    assert refused("foreign_origin", anna._call, "sign_out", form, b"", Origin="https://evil.example").status == 403
    assert refused("malformed", anna.request, "GET", "/api/sign_in", None, {}).status == 405
    refused("malformed", Socket, anna, "duet.v99")


def end(bob, at_bob):
    bob.form("sign_out")
    assert at_bob.is_closed() == 4401
    refused("unauthenticated", bob.json, "get_settings")


def main(origin):
    anna, bob = sign_up_and_in(origin)
    me, peer, conversation = find_each_other(anna, bob)
    at_anna, at_bob, timeline = talk(anna, bob, me, peer, conversation)
    at_bob = come_back(anna, bob, at_anna, at_bob, conversation, timeline)
    look_after_the_account(bob)
    bring_someone(origin, anna)
    be_refused(origin, anna, conversation)
    end(bob, at_bob)
    print("all done")


if __name__ == "__main__":
    main(sys.argv[1])
