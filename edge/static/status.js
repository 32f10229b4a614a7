// Renews the overview when a block has come, and every five seconds; what is being typed stays.
const live = document.getElementById("live");
let due = false;

async function renew() {
  due = false;
  const answer = await fetch(location.href);
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  live.replaceChildren(...page.getElementById("live").childNodes);
}

function soon() {
  if (due || document.hidden) return;
  due = true;
  setTimeout(() => renew().catch(() => {}), 1000);
}

new EventSource("/v1/events").addEventListener("block", soon);
setInterval(soon, 5000);
