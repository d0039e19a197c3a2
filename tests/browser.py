#!/usr/bin/env python3
"""The HTML report in a real browser: tests/browser.py PROGRAM [FOLDER FOR SCREENSHOTS]

Starts Chromium without a window and speaks its own protocol with it over a pipe; needs nothing but Python and Chromium.
Fails where a page says anything on the console, asks for anything, lets a stranger's text do anything, does not filter,
or cannot be read on a phone, in the dark, on paper, by keyboard and without its script.
"""

import base64
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

CAPTURES = pathlib.Path(__file__).parent.parent / "fixtures" / "captures"
EVIL = "</title><script>alert(1)</script><img src=x onerror=alert(2)>\"'><svg onload=alert(3)>"


class Browser:
    """Chromium at the other end of two pipes; messages are JSON, each with a zero byte after it."""

    def __init__(self, folder):
        name = next((n for n in ("chromium", "chromium-browser", "google-chrome") if shutil.which(n)), None)
        if name is None:
            sys.exit("chromium is not installed")
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()

        def pipes():
            # Chromium reads commands from 3 and writes answers to 4.
            low, high = os.dup(theirs_in), os.dup(theirs_out)
            os.dup2(low, 3)
            os.dup2(high, 4)

        self.process = subprocess.Popen(
            [name, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
             "--disable-dev-shm-usage", "--remote-debugging-pipe", f"--user-data-dir={folder}/profile"],
            preexec_fn=pipes, close_fds=False, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)
        self.reader, self.writer = os.fdopen(ours_in, "rb"), os.fdopen(ours_out, "wb")
        self.events, self.rest, self.number = [], b"", 0

    def receive(self):
        while b"\0" not in self.rest:
            more = os.read(self.reader.fileno(), 1 << 16)
            if not more:
                sys.exit("the browser went away")
            self.rest += more
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, session=None, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        self.writer.write(json.dumps(message).encode() + b"\0")
        self.writer.flush()
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                assert "error" not in answer, f"{method}: {answer}"
                return answer["result"]
            self.events.append(answer)
            if answer.get("method") == "Page.javascriptDialogOpening":
                sys.exit(f"a stranger's script ran: {answer['params']}")

    def wait(self, method):
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self.receive())

    def close(self):
        self.call("Browser.close")
        self.process.wait(timeout=20)


class Page:
    """One tab."""

    def __init__(self, browser, width=1280, height=900, scheme="light", media="", script=True):
        self.browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.target = target
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", media=media,
                  features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Emulation.setScriptExecutionDisabled", value=not script)

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def open(self, path, fragment=""):
        self.browser.events.clear()
        self.url = f"file://{path}{fragment}"
        self.call("Page.navigate", url=self.url)
        self.browser.wait("Page.loadEventFired")
        self.say("document.readyState")
        return self

    def say(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, f"{expression}: {result}"
        return result["result"].get("value")

    def is_quiet(self):
        """Nothing was said on the console, nothing was thrown, nothing was asked for."""
        for event in self.browser.events:
            method, params = event.get("method", ""), event.get("params", {})
            assert method not in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"), event
            if method == "Network.requestWillBeSent":
                url = params["request"]["url"]
                assert url.split("#")[0] == self.url.split("#")[0], f"it asks for {url}"

    def picture(self, path):
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 6000), "scale": 1}
        data = self.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)["data"]
        pathlib.Path(path).write_bytes(base64.b64decode(data))

    def close(self):
        self.browser.call("Target.closeTarget", targetId=self.target)


def hostile_capture(path):
    """A session in which every text that a stranger chooses is an attack on the page."""
    client, server = b"\x0a\x00\x00\x05", b"\x0a\x00\x00\x09"
    sequence = {client: 1000, server: 9000}
    packets = []

    def send(source, payload=b"", flags=0x18):
        target, ports = (server, (51234, 80)) if source == client else (client, (80, 51234))
        tcp = struct.pack(">HHIIBBHHH", *ports, sequence[source], sequence[target], 0x50, flags, 65535, 0, 0)
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40 + len(payload), len(packets), 0, 64, 6, 0, source, target)
        packets.append(ip + tcp + payload)
        sequence[source] += len(payload) + (1 if flags & 3 else 0)

    evil = EVIL.encode()
    send(client, flags=0x02)
    send(server, flags=0x12)
    send(client, b"GET /" + evil.replace(b" ", b"%20") + b" HTTP/1.1\r\nHost: " + evil + b"\r\nOrigin: " + evil +
         b"\r\nUser-Agent: " + evil + b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
         b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chat\r\n"
         b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
    send(server, b"HTTP/1.1 101 " + evil + b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nServer: " + evil +
         b"\r\nVia: " + evil + b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
    reason = struct.pack(">H", 1010) + EVIL.encode()[:90]
    send(client, bytes([0x88, 0x80 | len(reason)]) + b"\0\0\0\0" + reason)
    send(server, bytes([0x88, len(reason)]) + reason)
    send(server, flags=0x11)
    send(client, flags=0x11)
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 101))
        for index, packet in enumerate(packets):
            file.write(struct.pack("<IIII", 1795347114, index * 1000, len(packet), len(packet)) + packet)


def pages(program, folder):
    """One page with both legs, one hostile, one on all captures of the fixtures."""
    hostile_capture(folder / "hostile.pcap")
    whole = sorted(str(path) for path in CAPTURES.iterdir() if path.suffix != ".md")
    inputs = {
        "legs": [str(CAPTURES / "gw_nginx_stripreq.pcapng")],
        "hostile": [str(folder / "hostile.pcap")],
        "many": whole,
    }
    for name, captures in inputs.items():
        page = folder / f"{name}.html"
        ran = subprocess.run([program, "--fail-on", "never", "--output", f"html={page}", *captures],
                             stdout=subprocess.DEVNULL)
        assert ran.returncode == 0, f"{name}: status {ran.returncode}"
        yield name, page


CONTRAST = """(() => {
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const parse = (color) => color.match(/[\\d.]+/g).map(Number);
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const color = parse(getComputedStyle(element).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const poor = new Set();
  for (const element of document.querySelectorAll("body *:not(svg *):not(script):not(style):not(option)")) {
    if (![...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim())) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.add(`${element.tagName}.${element.className} ${ratio.toFixed(2)}`);
  }
  return [...poor];
})()"""

STRUCTURE = """(() => {
  const wrong = [];
  let level = 0;
  for (const heading of document.querySelectorAll("h1,h2,h3,h4")) {
    const next = Number(heading.tagName[1]);
    if (next > level + 1) wrong.push(`h${level} is followed by h${next}: ${heading.textContent.trim()}`);
    level = next;
  }
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  if (new Set(ids).size !== ids.length) wrong.push("an id is there twice");
  for (const link of document.querySelectorAll("a[href^='#']"))
    if (!document.getElementById(link.hash.slice(1))) wrong.push(`${link.hash} leads nowhere`);
  for (const control of document.querySelectorAll("input, select"))
    if (!control.labels.length) wrong.push(`${control.name} has no label`);
  for (const picture of document.querySelectorAll("svg:not([aria-hidden])"))
    if (picture.getAttribute("role") !== "img" || !picture.querySelector("title")) wrong.push("a picture without a name");
  for (const table of document.querySelectorAll("table"))
    if (!table.caption || !table.querySelector("th[scope]")) wrong.push("a table without caption or heads");
  for (const element of document.querySelectorAll("*"))
    for (const attribute of element.attributes)
      if (attribute.name.startsWith("on") || attribute.name === "style") wrong.push(`<${element.tagName} ${attribute.name}>`);
  return wrong;
})()"""

VISIBLE = "[...document.querySelectorAll('%s')].filter((element) => !element.hidden).length"


def reads_well(page, name):
    wide = page.say("[document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1], f"{name}: the page is wider than the screen: {wide}"
    assert page.say(STRUCTURE) == [], f"{name}: {page.say(STRUCTURE)}"
    assert page.say(CONTRAST) == [], f"{name}: too little contrast: {page.say(CONTRAST)}"
    page.is_quiet()


def filters_work(page):
    choose = "(() => { const f = document.getElementById('filters'); %s; f.dispatchEvent(new Event('input', {bubbles: true})); })()"
    causes, rows = page.say(VISIBLE % ".cause"), page.say(VISIBLE % "tr[data-severity]")
    errors = page.say("document.querySelectorAll('.cause[data-severity=error]').length")
    assert causes > errors > 0, (causes, errors)
    page.say(choose % "f.querySelector('[value=error]').checked = false")
    assert page.say(VISIBLE % ".cause") == causes - errors
    shown = page.say("document.getElementById('shown').textContent")
    assert shown.startswith(f"{causes - errors} of {causes} causes"), shown
    # A link to what is hidden shows it.
    page.say("location.hash = document.querySelector('.cause.error').id")
    assert page.say("new Promise((done) => setTimeout(() => done(document.querySelector(':target').hidden), 100))") is False
    page.say(choose % "f.reset(); f.code.value = 'close-1010'")
    narrowed = page.say(VISIBLE % "tr[data-severity]")
    assert 0 < narrowed < rows, (narrowed, rows)
    server = page.say("document.forms[0].endpoint.options[1].value")
    page.say(choose % f"f.reset(); f.endpoint.value = {json.dumps(server)}")
    assert page.say("[...document.querySelectorAll('tr[data-severity]')].every((row) => "
                    f"row.hidden !== row.dataset.endpoint.split(' ').includes({json.dumps(server)}))")
    page.say(choose % "f.reset()")
    assert (page.say(VISIBLE % ".cause"), page.say(VISIBLE % "tr[data-severity]")) == (causes, rows)
    page.is_quiet()


def is_usable_by_keyboard(page):
    def press(key, code):
        for kind in ("keyDown", "keyUp"):
            page.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    press("Tab", 9)
    assert page.say("document.activeElement.className") == "skip"
    reached = set()
    for _ in range(60):
        press("Tab", 9)
        reached.add(page.say("document.activeElement.tagName"))
    assert {"A", "INPUT", "SELECT", "BUTTON", "SUMMARY"} <= reached, reached
    assert page.say("(() => { const b = document.querySelector('.copy'); b.focus(); b.click(); "
                    "return new Promise((done) => setTimeout(() => done(b.textContent), 300)); })()") == "copied"
    page.is_quiet()


def main():
    program = os.path.abspath(sys.argv[1])
    pictures = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        folder = pathlib.Path(scratch)
        browser = Browser(scratch)
        for name, path in pages(program, folder):
            looks = {"desktop": {}, "phone": {"width": 390}, "narrow": {"width": 320}, "dark": {"scheme": "dark"}}
            for look, options in looks.items():
                page = Page(browser, **options).open(path)
                reads_well(page, f"{name}, {look}")
                if pictures:
                    page.picture(pictures / f"{name}-{look}.png")
                page.close()
            page = Page(browser).open(path)
            assert page.say("document.images.length") == 0
            assert page.say("document.scripts.length") == 1
            if name == "many":
                filters_work(page)
            if name == "legs":
                is_usable_by_keyboard(page)
                text = page.say("document.getElementById('summary').innerText")
                assert "removed Sec-WebSocket-Extensions from the request" in text, text
            if name == "hostile":
                assert EVIL[:30] in page.say("document.body.innerText"), "the hostile text is not shown"
            page.close()
            page = Page(browser, media="print").open(path)
            assert page.say("getComputedStyle(document.getElementById('filters')).display") == "none"
            assert len(page.call("Page.printToPDF", preferCSSPageSize=True)["data"]) > 1000
            page.is_quiet()
            page.close()
            page = Page(browser, script=False).open(path)
            assert page.say("document.getElementById('filters').hidden") is True
            assert page.say("document.querySelectorAll('.cause').length") > 0
            page.is_quiet()
            page.close()
            print(f"{name}: well")
        browser.close()


if __name__ == "__main__":
    main()
