// Shows how far a verification is. Without this the page comes when it is done.
"use strict";

function part(name) {
  return document.querySelector(`[data-${name}]`);
}

function tell(place, found) {
  for (const told of place.querySelectorAll("[data-told]")) {
    const value = found[told.dataset.told];
    told.textContent = typeof value === "number" ? value.toLocaleString("en-US") : value;
  }
  place.hidden = false;
}

// Each line of JSON, as it comes.
async function* lines(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const found = (rest + value).split("\n");
    rest = found.pop();
    for (const line of found) yield JSON.parse(line);
  }
}

async function verify(form) {
  const going = part("going");
  const bar = going.querySelector("progress");
  const button = form.querySelector("button");
  for (const name of ["holds", "fails", "broken"]) part(name).hidden = true;
  button.disabled = true;
  going.hidden = false;
  bar.value = 0;
  let verdict = null;
  try {
    const answer = await fetch(form.dataset.verify);
    if (answer.redirected || !answer.ok) return location.reload();
    for await (const told of lines(answer)) {
      if ("holds" in told) verdict = told;
      else bar.value = told.done / told.of;
    }
  } catch {
    verdict = null;
  }
  going.hidden = true;
  button.disabled = false;
  if (verdict === null) part("broken").hidden = false;
  else tell(part(verdict.holds ? "holds" : "fails"), verdict);
}

for (const form of document.querySelectorAll("form[data-verify]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    event.stopPropagation();
    verify(form);
  });
}
