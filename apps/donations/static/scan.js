// Receiving boxes one after the other, with a camera where the browser can, and without a connection: what was read is
// kept on the phone and sent once there is one. The ledger receives a box once, so sending again does no harm.
"use strict";

const part = document.getElementById("scanner");
const KEY = "daicho-received";
const LIMIT = 500;
const by = (id) => document.getElementById(id);
const load = () => JSON.parse(localStorage.getItem(KEY) || "[]");
const save = (boxes) => localStorage.setItem(KEY, JSON.stringify(boxes.slice(-LIMIT)));

function readCode(text) {
  const plain = text.normalize("NFKC").trim();
  const last = plain.includes("/") ? plain.replace(/[?#].*$/, "").replace(/\/+$/, "").split("/").pop() : plain;
  const code = last.toUpperCase().replace(/[^A-Z0-9]/g, "").replace(/0/g, "O").replace(/1/g, "I").replace(/8/g, "B");
  return /^[A-Z2-7]{16}$/.test(code) ? code : "";
}

function show() {
  const list = by("scan-list");
  list.replaceChildren(...load().slice().reverse().slice(0, 50).map((box) => {
    const line = document.createElement("li");
    const state = part.dataset[box.state] || part.dataset.waiting;
    line.textContent = `${box.code.match(/.{4}/g).join("-")} ${state}${box.text ? " " + box.text : ""}`;
    return line;
  }));
  by("scan-offline").hidden = navigator.onLine;
}

function keep(text) {
  const code = readCode(text);
  by("scan-error").textContent = code ? "" : part.dataset.bad;
  if (!code) return;
  const boxes = load();
  if (!boxes.some((box) => box.code === code && box.state !== "refused")) {
    boxes.push({ code, shelter: by("scan-shelter").value, occurred_ms: Date.now(), state: "waiting", text: "" });
    save(boxes);
    if (navigator.vibrate) navigator.vibrate(80);
  }
  by("scan-code").value = "";
  show();
  send();
}

let sending = false;
async function send() {
  if (sending || !load().some((box) => box.state === "waiting")) return;
  sending = true;
  try {
    for (const box of load().filter((b) => b.state === "waiting")) {
      const body = new URLSearchParams({ form_token: part.dataset.token, code: box.code, shelter: box.shelter, occurred_ms: box.occurred_ms });
      const answer = await fetch(part.dataset.later, { method: "POST", body, credentials: "same-origin" });
      if (answer.status === 403) {
        // The page was kept while somebody signed out or in again: its token is fetched anew.
        if (!(await renew())) return settle(box.code, { state: "waiting", text: part.dataset.signedOut });
        continue;
      }
      if (!answer.ok) return;
      const said = await answer.json();
      settle(box.code, { state: said.state === "done" ? "sent" : said.state, text: said.text });
    }
  } catch {
    // No connection: everything stays as it is.
  } finally {
    sending = false;
    show();
  }
}

function settle(code, change) {
  save(load().map((box) => (box.code === code && box.state === "waiting" ? { ...box, ...change } : box)));
}

async function renew() {
  const answer = await fetch(location.pathname, { credentials: "same-origin", cache: "no-store" });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const token = page.getElementById("scanner")?.dataset.token;
  if (!token || token === part.dataset.token) return false;
  part.dataset.token = token;
  return true;
}

let stream = null;
async function start() {
  const detector = new BarcodeDetector({ formats: ["qr_code"] });
  const video = by("scan-video");
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    by("scan-no-camera").hidden = false;
    return;
  }
  video.srcObject = stream;
  video.hidden = false;
  by("scan-stop").hidden = false;
  await video.play();
  while (stream) {
    for (const found of await detector.detect(video).catch(() => [])) keep(found.rawValue);
    await new Promise((done) => setTimeout(done, 250));
  }
}

function stop() {
  for (const track of stream ? stream.getTracks() : []) track.stop();
  stream = null;
  by("scan-video").hidden = true;
  by("scan-stop").hidden = true;
}

part.hidden = false;
by("scan-keep").addEventListener("click", () => keep(by("scan-code").value));
by("scan-code").addEventListener("keydown", (event) => event.key === "Enter" && keep(event.target.value));
by("scan-stop").addEventListener("click", stop);
by("scan-start").addEventListener("click", start);
by("scan-start").hidden = !("BarcodeDetector" in window && navigator.mediaDevices);
by("scan-no-camera").hidden = !by("scan-start").hidden;
addEventListener("online", () => { show(); send(); });
addEventListener("offline", show);
setInterval(send, 15000);
if ("serviceWorker" in navigator) navigator.serviceWorker.register(part.dataset.worker).catch(() => {});
show();
send();
