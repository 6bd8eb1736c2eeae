// What makes pages quicker to use. Everything readable is there without it.
"use strict";

// A menu closes where one clicks beside it, and with Escape.
function closeMenus(but) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (menu !== but) menu.open = false;
  }
}
document.addEventListener("click", (event) => closeMenus(event.target.closest("details.menu")));
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && document.querySelector("details.menu[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// Of the ways that have no room on a phone, the one that is open is in sight.
for (const way of document.querySelectorAll(".ways [aria-current]")) {
  const ways = way.closest(".ways");
  ways.scrollLeft = way.offsetLeft + way.offsetWidth / 2 - ways.offsetLeft - ways.clientWidth / 2;
}

// A form that is on its way is not sent a second time.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method === "get") return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
});
// The page comes back as it was left: its forms may be sent again.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

function asItCame(field) {
  const chosen = [...(field.options || [])].find((option) => option.defaultSelected);
  return field.options ? (chosen || field.options[0] || { value: "" }).value : field.defaultValue;
}

// What is typed into a form with data-keep stays over a reload, or a sign-in in between. It goes
// when the page that the form leads to has come: that one has data-kept with the form's name.
const PREFIX = "kept:";
function kept(form) {
  return PREFIX + form.dataset.keep;
}
function restoreForms(root) {
  for (const form of root.querySelectorAll("form[data-keep]")) {
    const values = JSON.parse(sessionStorage.getItem(kept(form)) || "{}");
    for (const [name, value] of Object.entries(values)) {
      const field = form.elements.namedItem(name);
      if (field && "value" in field) field.value = value;
    }
  }
}
document.addEventListener("input", (event) => {
  const form = event.target.form;
  if (!form || !form.dataset.keep) return;
  const values = JSON.parse(sessionStorage.getItem(kept(form)) || "{}");
  for (const field of form.elements) {
    if (field.name && !("unkept" in field.dataset) && !field.name.startsWith("_") && !["hidden", "password", "file", "checkbox", "radio"].includes(field.type)) {
      // What nobody touched is not kept: it may be another by then.
      if (field.name in values || field.value !== asItCame(field)) values[field.name] = field.value;
    }
  }
  sessionStorage.setItem(kept(form), JSON.stringify(values));
});
// Nothing is left for whoever signs in next.
document.addEventListener("submit", (event) => {
  if (event.target.getAttribute("action") !== "/signout") return;
  for (const name of Object.keys(sessionStorage)) {
    if (name.startsWith(PREFIX)) sessionStorage.removeItem(name);
  }
});
for (const done of document.querySelectorAll("[data-kept]")) {
  sessionStorage.removeItem(PREFIX + done.dataset.kept);
}
restoreForms(document);
document.addEventListener("htmx:afterSwap", (event) => restoreForms(event.target));
