// A personal link carries its token behind the #, which no server is told of. It is taken out of
// the address before anything else is done, and posted to sign in.
"use strict";

const inLink = /^#(ll_[\w-]+)$/.exec(window.location.hash);
const entry = document.querySelector("form[data-enter]");

function sayOfLink(text, retry) {
  const box = document.querySelector("[data-enter-said]");
  box.hidden = false;
  box.textContent = text;
  if (retry) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = entry.dataset.retry;
    button.addEventListener("click", enterByLink);
    box.append(" ", button);
  }
}

async function enterByLink() {
  sayOfLink(entry.dataset.entering);
  let answer;
  try {
    answer = await fetch(entry.action, { method: "POST", body: new FormData(entry), redirect: "manual" });
  } catch {
    sayOfLink(entry.dataset.offline, true);
    return;
  }
  if (answer.type === "opaqueredirect") {
    window.location.replace("/tip");
    return;
  }
  sayOfLink(answer.status < 500 ? entry.dataset.refused : entry.dataset.offline, answer.status >= 500);
}

if (inLink && entry) {
  window.history.replaceState(null, "", window.location.pathname + window.location.search);
  entry.elements.namedItem("token").value = inLink[1];
  enterByLink();
}

// Who signs out leaves nothing behind.
if (document.querySelector("[data-signed-out]")) {
  for (const name of Object.keys(window.localStorage)) {
    if (name.startsWith("draft:")) window.localStorage.removeItem(name);
  }
}
