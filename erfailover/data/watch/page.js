// Keeps the page up to date by server-sent events, and says so when it is not.
"use strict";

const QUIET_MS = 12000; // The server sends something every 5 s.
const RETRY_MS = 3000;
const UNAUTHORIZED = 401;
const SECONDS = { d: 86400, h: 3600, min: 60, s: 1 };

const root = document.documentElement;
const bar = document.getElementById("bar");
const link = document.getElementById("link");
const age = document.getElementById("age");
let server = Number(root.dataset.now); // The server's time in seconds, and when it was received.
let received = performance.now();
let source = null;
let isLost = false;

const getNow = () => server + (performance.now() - received) / 1000;

function formatDuration(seconds) {
  let rest = Math.round(Math.max(seconds, 0));
  if (rest >= SECONDS.h) rest -= rest % SECONDS.min;
  const parts = [];
  for (const [unit, length] of Object.entries(SECONDS)) {
    const count = Math.floor(rest / length);
    rest %= length;
    if (count) parts.push(`${count} ${unit}`);
  }
  return parts.slice(0, 2).join(" ") || "0 s";
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function updateAges(within) {
  const now = getNow();
  for (const item of within.querySelectorAll("[data-since]"))
    setText(item, formatDuration(now - Number(item.dataset.since)));
  for (const item of within.querySelectorAll("[data-until]"))
    setText(item, formatDuration(Number(item.dataset.until) - now));
  for (const item of within.querySelectorAll("[data-stale]"))
    item.hidden = now - Number(item.querySelector("[data-since]").dataset.since) <= Number(item.dataset.stale);
}

function addCopyButtons(within) {
  if (!navigator.clipboard) return;
  for (const box of within.querySelectorAll(".command")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    box.append(button);
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest(".command button");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Press Ctrl-C";
    getSelection().selectAllChildren(button.parentElement.querySelector("code"));
  }
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
});

// Makes a node like another, and leaves alone what does not differ: nothing flickers, and a live
// region is changed rather than replaced.
function morph(node, fresh) {
  if (node.isEqualNode(fresh)) return;
  if (node.nodeName !== fresh.nodeName || node.id !== fresh.id || node.nodeName === "svg") {
    node.replaceWith(fresh);
    return;
  }
  if (node.nodeType !== Node.ELEMENT_NODE) {
    node.nodeValue = fresh.nodeValue;
    return;
  }
  for (const { name } of [...node.attributes]) if (!fresh.hasAttribute(name)) node.removeAttribute(name);
  for (const { name, value } of fresh.attributes)
    if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  const children = [...node.childNodes];
  [...fresh.childNodes].forEach((child, number) => {
    if (number < children.length) morph(children[number], child);
    else node.append(child);
  });
  children.slice(fresh.childNodes.length).forEach((child) => child.remove());
}

function update(html) {
  const template = document.createElement("template");
  template.innerHTML = `<main id="sites">${html}</main>`;
  const fresh = template.content.firstChild;
  const sites = document.getElementById("sites");
  for (const details of sites.querySelectorAll("details[id]")) {
    const same = template.content.getElementById(details.id);
    if (same) same.open = details.open;
  }
  updateAges(fresh);
  addCopyButtons(fresh);
  morph(sites, fresh);
}

function showLink() {
  const quietMs = performance.now() - received;
  bar.className = isLost ? "lost" : "live";
  document.body.className = bar.className;
  setText(link, isLost ? "CONNECTION LOST, trying again." : "Live");
  const time = new Date(getNow() * 1000).toISOString().slice(11, 19);
  setText(age, isLost ? `This page is ${formatDuration(quietMs / 1000)} old.` : `${time} UTC`);
}

function receive(event) {
  const message = JSON.parse(event.data);
  if (message.version !== root.dataset.version) {
    location.reload();
    return;
  }
  server = message.now;
  received = performance.now();
  isLost = false;
  if (message.html !== undefined) {
    document.title = message.title;
    update(message.html);
  }
  updateAges(document);
  showLink();
}

function connect() {
  source = new EventSource("/events");
  source.onmessage = receive;
  source.onerror = async () => {
    isLost = true;
    showLink();
    if (source.readyState !== EventSource.CLOSED) return; // The browser tries again by itself.
    setTimeout(connect, RETRY_MS);
    const answer = await fetch("/", { method: "HEAD" });
    if (answer.status === UNAUTHORIZED) location.reload(); // The session has ended: sign in again.
  };
}

addCopyButtons(document);
connect();
setInterval(() => {
  updateAges(document);
  if (performance.now() - received > QUIET_MS && source.readyState === EventSource.OPEN) {
    isLost = true;
    source.close();
    connect();
  }
  showLink();
}, 1000);
