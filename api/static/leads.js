// The forms of a lead in a sheet over its page, and the ledger's search.
"use strict";

const sheet = document.getElementById("sheet");

// What was left empty is not in the address.
document.addEventListener("htmx:configRequest", (event) => {
  if (!event.detail.elt.matches("[data-bare]")) return;
  const asked = event.detail.formData;
  for (const [name, value] of [...asked.entries()]) {
    if (!value) asked.delete(name);
  }
});

// What is refused is shown where it was asked; a page of its own, where that is what came.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, target } = event.detail;
  if (xhr.status < 400) return;
  const found = new DOMParser().parseFromString(xhr.responseText, "text/html");
  const told = found.getElementById("doing") || found.getElementById(target.id) || found.querySelector("main > *");
  if (!told) return;
  event.detail.serverResponse = told.outerHTML;
  event.detail.shouldSwap = true;
  event.detail.isError = false;
});
document.addEventListener("htmx:sendError", (event) => {
  const told = event.target.querySelector("[data-offline]") || document.querySelector("[data-offline]");
  if (told) told.hidden = false;
});

// What came into the page is read first: what is wrong, else where one types.
document.addEventListener("htmx:load", (event) => {
  const came = event.detail.elt;
  if (came.id !== "doing") return;
  if (sheet && sheet.contains(came) && !sheet.open) sheet.showModal();
  const first = came.querySelector("[aria-invalid]") || (came.querySelector("[role=alert]:not([hidden])") ? came.querySelector("h1") : came.querySelector("form input:not([type=hidden]), form select, form textarea"));
  if (first) first.focus();
});

// The sheet has an address of its own: closing it is going back from there, to the page beneath, which
// is as it was. Loaded again it would take away the form that somebody quick has opened by then.
function doing() {
  return location.pathname.includes("/do/");
}
function away() {
  if (!doing()) return;
  const arrived = (event) => doing() || event.stopImmediatePropagation();
  window.addEventListener("popstate", arrived, { capture: true, once: true });
  history.back();
}
if (sheet) {
  sheet.addEventListener("close", away);
  sheet.addEventListener("click", (event) => {
    if (event.target.closest("[data-cancel]")) {
      event.preventDefault();
      sheet.close();
    }
  });
}
// Done: the form's own address is left, so that going back does not lead to it again.
document.addEventListener("done", (event) => location.replace(event.detail.place));
