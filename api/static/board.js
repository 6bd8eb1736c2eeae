// Cards that are dragged from column to column. The form decides, and nothing moves before.
"use strict";

const notThere = document.getElementById("not-there");
let dragged = null;

function movesOf(card) {
  return JSON.parse(card.dataset.moves || "{}");
}
document.addEventListener("dragstart", (event) => {
  dragged = event.target.closest(".board-card");
  if (!dragged) return;
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", dragged.dataset.lead);
  notThere.hidden = true;
  for (const column of document.querySelectorAll(".column")) {
    column.classList.toggle("takes", column.dataset.stage in movesOf(dragged));
  }
});
document.addEventListener("dragend", () => {
  dragged = null;
  for (const column of document.querySelectorAll(".column")) column.classList.remove("takes", "over");
});
document.addEventListener("dragover", (event) => {
  const column = dragged && event.target.closest(".column");
  if (!column) return;
  event.preventDefault();
  for (const other of document.querySelectorAll(".column.over")) {
    if (other !== column) other.classList.remove("over");
  }
  column.classList.add("over");
});
document.addEventListener("drop", (event) => {
  const column = dragged && event.target.closest(".column");
  if (!column) return;
  event.preventDefault();
  if (column.contains(dragged)) return;
  const form = movesOf(dragged)[column.dataset.stage];
  if (!form) {
    notThere.hidden = false;
    return;
  }
  dragged.querySelector(`a[href*="/do/${form}?"]`).click();
});
