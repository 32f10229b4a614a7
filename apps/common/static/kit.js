// Improves pages that work without it: lists that follow their topic, buttons that are pressed once, problems in focus.
"use strict";

// A form that is on its way is not sent again by a second press (the server would not do it twice either).
for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "yes";
    setTimeout(() => {
      for (const button of form.querySelectorAll("button")) button.setAttribute("aria-disabled", "true");
    });
  });
}
// Coming back by the browser's Back: the form may be sent again.
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-once]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("button")) button.removeAttribute("aria-disabled");
  }
});

document.getElementById("problems")?.focus();

async function refresh(ids) {
  const answer = await fetch(location.href, { headers: { "X-Live": "1" }, credentials: "same-origin" });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of ids) {
    const now = document.getElementById(id);
    const next = page.getElementById(id);
    if (now && next && now.innerHTML !== next.innerHTML && !now.contains(document.activeElement)) {
      now.replaceChildren(...next.childNodes);
    }
  }
}

for (const part of document.querySelectorAll("[data-live]")) {
  let timer = 0;
  const source = new EventSource(part.dataset.live);
  source.addEventListener("open", () => {
    for (const note of document.querySelectorAll("[data-live-note]")) note.hidden = false;
  });
  source.addEventListener("change", () => {
    clearTimeout(timer);
    timer = setTimeout(() => refresh([part.id]), 200 + Math.random() * 800);
  });
  addEventListener("pagehide", () => source.close());
}
