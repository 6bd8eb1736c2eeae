// A file on its way: how much of it arrived, how many rows were read. Without this the form is sent
// as any other, and the page comes when the file is checked.
"use strict";

const upload = document.querySelector("form[data-upload]");

function sayOfUpload(text, part) {
  const box = document.querySelector("[data-upload-said]");
  box.hidden = false;
  box.querySelector("span").textContent = text;
  const bar = box.querySelector("progress");
  if (part === undefined) bar.removeAttribute("value");
  else bar.value = part;
  bar.hidden = part === null;
}

async function followRows(id, is) {
  while (is()) {
    await new Promise((wake) => setTimeout(wake, 700));
    try {
      const answer = await fetch(`/import/${id}/progress`);
      const { rows } = await answer.json();
      if (is() && rows) sayOfUpload(upload.dataset.rows.replace("ROWS", rows.toLocaleString()));
    } catch {
      // The next one may come through.
    }
  }
}

function sendFile(form) {
  const request = new XMLHttpRequest();
  let checking = false;
  request.upload.addEventListener("progress", (event) => {
    if (event.lengthComputable) sayOfUpload(form.dataset.sending, (100 * event.loaded) / event.total);
  });
  request.upload.addEventListener("load", () => {
    checking = true;
    sayOfUpload(form.dataset.checking);
    followRows(form.elements.namedItem("_key").value, () => checking);
  });
  request.addEventListener("load", () => {
    checking = false;
    if (request.status === 200 && !request.responseURL.endsWith("/import")) {
      window.location.assign(request.responseURL);
      return;
    }
    delete form.dataset.sent;
    const page = new DOMParser().parseFromString(request.responseText, "text/html");
    document.querySelector("main").replaceWith(document.adoptNode(page.querySelector("main")));
  });
  request.addEventListener("error", () => {
    checking = false;
    delete form.dataset.sent;
    sayOfUpload(form.dataset.offline, null);
  });
  sayOfUpload(form.dataset.sending, 0);
  request.open("POST", form.action);
  request.send(new FormData(form));
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented) return;
  if ("upload" in form.dataset) {
    event.preventDefault();
    sendFile(form);
  } else if ("recording" in form.dataset && event.submitter) {
    event.submitter.textContent = form.dataset.sending;
  }
});

if (upload) {
  const drop = upload.querySelector(".drop");
  const file = upload.querySelector("input[type=file]");
  for (const kind of ["dragenter", "dragover"]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) file.files = event.dataTransfer.files;
  });
}
