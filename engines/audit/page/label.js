// The labelling page: asks for the state once, then shows one picture after the other and sends each answer.
"use strict";

const byId = (id) => document.getElementById(id);
let given = [];       // per picture: the label, or ""
let labels = [];
let here = 0;         // the picture shown
let past = [];        // answers of this sitting: [picture, the label before]
let busy = false;

function say(text) { byId("note").textContent = text; }

function show() {
  const done = given.filter(Boolean).length;
  byId("done").max = given.length;
  byId("done").value = done;
  byId("count").textContent = `${done} of ${given.length}`;
  byId("undo").disabled = past.length === 0;
  byId("picture").hidden = false;
  byId("picture").src = `/picture/${here}`;
  byId("picture").alt = `Picture ${here + 1} of ${given.length}`;
  if (here + 1 < given.length) new Image().src = `/picture/${here + 1}`;
  for (const button of byId("labels").children) {
    button.setAttribute("aria-pressed", String(button.dataset.label === given[here]));
  }
  if (done === given.length) say("All pictures are labelled. You may close this page.");
}

function go(step) {
  here = Math.min(Math.max(here + step, 0), given.length - 1);
  say("");
  show();
}

function next() {
  for (let step = 1; step <= given.length; step += 1) {
    const place = (here + step) % given.length;
    if (!given[place]) { here = place; return; }
  }
}

async function send(picture, label) {
  busy = true;
  try {
    const answer = await fetch("/label", { method: "POST", body: JSON.stringify({ picture, label }) });
    const said = await answer.json();
    if (said.refused) { say(said.refused); return false; }
    given[picture] = label;
    return true;
  } catch (error) {
    say("The program does not answer; the last label is not stored. Start it again and reload this page.");
    return false;
  } finally {
    busy = false;
  }
}

async function give(label) {
  if (busy) return;
  const picture = here, before = given[picture];
  if (!await send(picture, label)) return;
  past.push([picture, before]);
  say("");
  next();
  show();
}

async function undo() {
  if (busy || past.length === 0) return;
  const [picture, before] = past[past.length - 1];
  if (!await send(picture, before)) return;
  past.pop();
  here = picture;
  say("Taken back.");
  show();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const number = "12345".indexOf(event.key);
  if (number >= 0 && number < labels.length) give(labels[number]);
  else if (event.key === "u" || event.key === "U" || event.key === "Backspace") undo();
  else if (event.key === "ArrowRight") go(1);
  else if (event.key === "ArrowLeft") go(-1);
  else return;
  event.preventDefault();
});

byId("undo").addEventListener("click", undo);
byId("back").addEventListener("click", () => go(-1));
byId("skip").addEventListener("click", () => go(1));

fetch("/state").then((answer) => answer.json()).then((state) => {
  given = state.given;
  labels = state.labels;
  byId("who").textContent = state.labeller;
  labels.forEach((label, i) => {
    const button = document.createElement("button");
    const key = document.createElement("kbd");
    key.textContent = String(i + 1);
    button.type = "button";
    button.dataset.label = label;
    button.append(label, key);
    button.addEventListener("click", () => give(label));
    byId("labels").append(button);
  });
  here = given.length - 1;
  next();
  show();
}).catch(() => say("The program does not answer. Start it again and reload this page."));
