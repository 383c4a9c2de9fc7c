#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Is lbd's status page right in a browser? page_tool.py NETNS URL FOLDER AXE WORD…

Opens it in headless chromium within a network namespace: on a desk, in dark mode and on a phone. Each time it must come to
show figures three times, hold each WORD, log no error, and pass the rules of accessibility below, and those of axe-core, whose
file AXE is ("": not there). FOLDER gets a picture of each.
"""

import base64
import json
import os
import select
import subprocess
import sys
import tempfile
import time

SHOWN = int(os.environ.get("SHOWN", 3))
WAIT_S = 60

# Each returns a list of faults. Contrast: WCAG 2.1, 1.4.3; reflow: 1.4.10; names: 1.1.1 and 4.1.2; headings: 1.3.1.
RULES = r"""
(() => {
	const faults = [], all = selector => [...document.querySelectorAll(selector)];
	const name = node => node.getAttribute("aria-label") || node.textContent.trim();
	if (!document.documentElement.lang) faults.push("no language");
	if (!document.title) faults.push("no title");
	if (all("main").length !== 1 || all("h1").length !== 1) faults.push("not one main part and one title");
	if (!document.querySelector("[role=status]")) faults.push("nothing tells that figures are old");
	let level = 0;
	for (const head of all("h1,h2,h3,h4")) {
		const now = Number(head.tagName[1]);
		if (now > level + 1) faults.push("heading " + head.textContent + " skips a level");
		level = now;
	}
	for (const node of all("svg,img,meter,section,table,[role=region]"))
		if (!name(node)) faults.push("without a name: " + node.outerHTML.slice(0, 80));
	for (const head of all("th")) if (!head.scope) faults.push("th without scope: " + head.textContent);
	for (const node of all("a,button,input,form,iframe,object")) faults.push("there should be no " + node.tagName);
	const ids = all("[id]").map(node => node.id);
	if (new Set(ids).size !== ids.length) faults.push("an id twice");
	if (document.documentElement.scrollWidth > innerWidth) faults.push("wider than the screen: " + document.documentElement.scrollWidth);
	const rgb = text => text.match(/[\d.]+/g).map(Number);
	const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
	const behind = node => {
		for (; node; node = node.parentElement) {
			const colour = rgb(getComputedStyle(node).backgroundColor);
			if (colour.length === 3 || colour[3] > 0) return colour;
		}
		return [255, 255, 255];
	};
	for (const node of all("body *")) {
		if (![...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim())) continue;
		if (["SCRIPT", "STYLE", "NOSCRIPT"].includes(node.tagName)) continue;
		const a = light(rgb(getComputedStyle(node).color)), b = light(behind(node));
		const contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
		if (contrast < 4.5) faults.push("contrast " + contrast.toFixed(2) + ": " + node.textContent.slice(0, 40));
	}
	return faults;
})()
"""

# Every rule that axe-core has for WCAG 2.2, level AA, and what it calls best practice. What it cannot decide counts too, but for
# contrasts: it does not see those that are scrolled out of view, which RULES do.
AXE = r"""
(async () => {
	const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
	const found = await axe.run(document, {runOnly: tags, resultTypes: ["violations", "incomplete", "passes"]});
	const faults = [];
	const undecided = found.incomplete.filter(rule => rule.id !== "color-contrast");
	for (const rule of [...found.violations, ...undecided])
		for (const node of rule.nodes)
			faults.push("axe " + rule.id + ": " + rule.help + ": " + node.html.slice(0, 120));
	if (found.passes.length < 10)
		faults.push("axe has looked at little: " + found.passes.length + " rules");
	return faults;
})()
"""

LOOKS = [
    ("light", 1100, 900, "light", False),
    ("dark", 1100, 900, "dark", False),
    ("phone", 360, 740, "light", True),
    ("narrow", 320, 512, "dark", False),  # as wide as a screen of 1280 at 400 % (WCAG 2.1, 1.4.10)
]


class Browser:
    """Chromium's DevTools protocol over pipes: messages that end with NUL."""

    def __init__(self, netns):
        self.profile = tempfile.TemporaryDirectory()
        to_read, self.to = os.pipe()
        self.back, back_write = os.pipe()
        # Chromium reads from 3 and writes to 4.
        command = ('exec 8<&%d 9>&%d; exec 3<&8 4>&9; exec nsenter --net=/run/netns/%s chromium --headless=new '
                   '--no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --disable-background-networking '
                   '--remote-debugging-pipe --user-data-dir=%s about:blank'
                   % (to_read, back_write, netns, self.profile.name))
        self.process = subprocess.Popen(["bash", "-c", command], pass_fds=(to_read, back_write),
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        env=dict(os.environ, HOME=self.profile.name))
        os.close(to_read)
        os.close(back_write)
        self.buffer, self.number, self.events, self.session = b"", 0, [], None

    def receive(self):
        while b"\0" not in self.buffer:
            if not select.select([self.back], [], [], WAIT_S)[0]:
                sys.exit("chromium says nothing")
            piece = os.read(self.back, 1 << 20)
            if not piece:
                sys.exit("chromium has ended")
            self.buffer += piece
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                if "error" in answer:
                    sys.exit("%s: %s" % (method, answer["error"]))
                return answer["result"]
            self.events.append(answer)

    def evaluate(self, script):
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            sys.exit(json.dumps(result["exceptionDetails"])[:500])
        return result["result"].get("value")

    def open_page(self):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(domain + ".enable")

    def errors(self):
        found = []
        for event in self.events:
            method, params = event.get("method"), event.get("params", {})
            if method == "Runtime.exceptionThrown" or \
                    (method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning")) or \
                    (method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning")):
                found.append(json.dumps(params)[:300])
        return found

    def close(self):
        self.session = None
        try:
            self.call("Browser.close")
            self.process.wait(20)
        except (SystemExit, subprocess.TimeoutExpired):
            self.process.kill()
        self.profile.cleanup()


def axe_faults(browser, axe):
    if not axe:
        return []
    with open(axe, encoding="utf-8") as file:
        browser.evaluate(file.read() + "; 0")
    return browser.evaluate(AXE)


def look(browser, url, folder, axe, words, name, width, height, scheme, phone):
    faults = []
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.call("Page.navigate", url=url)
    end = time.monotonic() + WAIT_S
    while not browser.evaluate("Number(document.body && document.body.dataset.shown || 0) >= %d" % SHOWN):
        if time.monotonic() > end:
            faults.append("it does not come to show figures")
            break
        time.sleep(0.3)
    text = browser.evaluate("document.body.innerText") or ""
    faults += ["it does not say \"%s\"" % word for word in words if word not in text]
    faults += browser.evaluate(RULES) or []
    faults += axe_faults(browser, axe)
    size = browser.call("Page.getLayoutMetrics")["cssContentSize"]
    picture = browser.call("Page.captureScreenshot", format="png", captureBeyondViewport=True,
                           clip={"x": 0, "y": 0, "width": width, "height": min(size["height"], 2000), "scale": 1})
    with open(os.path.join(folder, name + ".png"), "wb") as file:
        file.write(base64.b64decode(picture["data"]))
    return ["%s: %s" % (name, fault) for fault in faults]


def main():
    netns, url, folder, axe, words = *sys.argv[1:5], sys.argv[5:]
    browser, faults = Browser(netns), []
    try:
        browser.open_page()
        for row in LOOKS:
            faults += look(browser, url, folder, axe, words, *row)
        faults += browser.errors()
    finally:
        browser.close()
    print("\n".join(faults))
    return 1 if faults else 0


sys.exit(main())
