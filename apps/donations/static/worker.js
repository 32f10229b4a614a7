// Keeps the page for receiving boxes on the phone, so that it opens without a connection. Nothing else is kept.
"use strict";

const CACHE = "daicho-scan-1";
const isKept = (url) => url.pathname === "/scan" || url.pathname.startsWith("/static/");

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== location.origin || !isKept(url)) return;
  event.respondWith(answer(event.request, url));
});

async function answer(request, url) {
  const cache = await caches.open(CACHE);
  const key = url.pathname === "/scan" ? "/scan" : request;
  try {
    const fresh = await fetch(request);
    // Only the page itself: somebody who signed out is led elsewhere, and that is not kept.
    if (fresh.ok && !fresh.redirected && !url.search.includes("code=")) await cache.put(key, fresh.clone());
    return fresh;
  } catch (fault) {
    const kept = await cache.match(key);
    if (kept) return kept;
    throw fault;
  }
}
