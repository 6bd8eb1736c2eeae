// A tip on a bad connection: what is typed stays on this device until it is recorded, and however
// often it is sent, it is recorded once, by the draft's key.
"use strict";

const DRAFT = "draft:";

function draftName(form) {
  return DRAFT + form.dataset.draft;
}
function readDraft(form) {
  try {
    return JSON.parse(window.localStorage.getItem(draftName(form)) || "null");
  } catch {
    return null;
  }
}
// Of persons nothing is kept: whoever picks up the device would read it.
function keepDraft(form) {
  const values = {};
  for (const field of form.elements) {
    if (field.name && field.type !== "hidden" && !("private" in field.dataset)) values[field.name] = field.value;
  }
  const draft = { key: form.elements.namedItem("_key").value, values };
  try {
    window.localStorage.setItem(draftName(form), JSON.stringify(draft));
  } catch {
    // A browser that keeps nothing: the page itself still does.
  }
}
function dropDraft(form) {
  window.localStorage.removeItem(draftName(form));
}

function sayOfDraft(form, text, kind, ...more) {
  const box = document.querySelector("[data-draft-said]");
  box.hidden = !text;
  box.className = kind === "bad" ? "refusal draft-said" : "said draft-said";
  box.textContent = text;
  for (const one of more) box.append(" ", one);
}
function discarding(form) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = form.dataset.discard;
  button.addEventListener("click", () => {
    dropDraft(form);
    window.location.assign("/tip");
  });
  return button;
}
function signingIn(form) {
  const link = document.createElement("a");
  link.href = "/signin?next=/tip";
  link.textContent = form.dataset.again;
  return link;
}

function restoreDraft(form) {
  if ("renew" in form.dataset) {
    // It was recorded as it was before: what is there now is another one.
    keepDraft(form);
    return;
  }
  const draft = readDraft(form);
  if (!draft) return;
  form.elements.namedItem("_key").value = draft.key;
  let changed = false;
  for (const [name, value] of Object.entries(draft.values)) {
    const field = form.elements.namedItem(name);
    if (!field || field.value === value || form.querySelector("[aria-invalid]")) continue;
    field.value = value;
    changed = true;
    if (field.closest("details")) field.closest("details").open = true;
  }
  if (changed) sayOfDraft(form, form.dataset.restored, "said", discarding(form));
}

function sending(form, is) {
  const button = form.querySelector(".submit");
  if (is) button.dataset.label = button.textContent;
  button.textContent = is ? form.dataset.sending : button.dataset.label;
  button.setAttribute("aria-busy", is ? "true" : "false");
  if (!is) delete form.dataset.sent;
}

async function sendTip(form) {
  keepDraft(form);
  sending(form, true);
  let answer;
  try {
    answer = await fetch(form.action, {
      method: "POST", body: new URLSearchParams(new FormData(form)), redirect: "manual",
      headers: { "HX-Request": "true", "Accept": "text/html" },
    });
    const place = answer.headers.get("HX-Redirect");
    if (answer.status === 204 && place) {
      dropDraft(form);
      window.location.assign(place);
      return;
    }
    if (answer.status === 409 || answer.status === 422) {
      showRefused(await answer.text());
      return;
    }
  } catch {
    sending(form, false);
    sayOfDraft(form, form.dataset.offline, "bad");
    return;
  }
  sending(form, false);
  if (answer.status === 401 || answer.status === 403) sayOfDraft(form, form.dataset.ended, "bad", signingIn(form));
  else sayOfDraft(form, form.dataset.failed, "bad");
}

// The same page as it would have come, with what was typed and why it was not taken.
function showRefused(text) {
  const page = new DOMParser().parseFromString(text, "text/html");
  document.querySelector("main").replaceWith(document.adoptNode(page.querySelector("main")));
  for (const form of document.querySelectorAll("form[data-draft]")) restoreDraft(form);
  const refusal = document.querySelector("main .refusal");
  if (refusal) refusal.focus();
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!("draft" in form.dataset) || event.defaultPrevented) return;
  event.preventDefault();
  sendTip(form);
});
document.addEventListener("input", (event) => {
  const form = event.target.form;
  if (form && "draft" in form.dataset) keepDraft(form);
});
window.addEventListener("online", () => {
  const form = document.querySelector("form[data-draft]");
  const box = document.querySelector("[data-draft-said].refusal");
  if (form && box && !box.hidden) sayOfDraft(form, form.dataset.online, "said");
});
for (const form of document.querySelectorAll("form[data-draft]")) restoreDraft(form);
