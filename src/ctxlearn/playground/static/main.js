// The page: one state, the plane that changes it, and the panels that follow.

import { Asker, askOnce } from "./ask.js";
import { Curve } from "./curve.js";
import { SHAPES } from "./marks.js";
import { Panel } from "./panel.js";
import { Plane } from "./plane.js";
import { LETTERS, changed, readState, writeState } from "./state.js";

const COARSE = 20; // cells along each axis while a point is dragged
const START = 12; // points of a new task

const $ = (id) => document.getElementById(id);
const given = new URLSearchParams(location.search);
let wrong = "";
const offered = await askOnce("offered", given.toString()).catch((error) => {
  wrong = `The address of this page cannot be read: ${error.message}. This is a new page.`;
  return askOnce("offered", "");
});
const choices = new Map(offered.learners.map((choice) => [choice.key, choice]));

let state = null;
let panels = [];
let version = 0;
let waiting = []; // changes that not every panel has followed yet
let brush = 0;
let tool = "move";

const say = (text) => { $("said").textContent = text; };
const curve = new Curve($("curve"), $("curve-key"), $("curve-note"));
const ceiling = new Asker("score", (found, n) => curve.add("bayes", found.score, n));
const alike = new Asker("alike", showBars, (why) => { $("bars").textContent = why; });
const python = new Asker("python", (found) => { $("python").textContent = found.code; }, (why) => { $("python").textContent = why; });
const query = (learner, more = {}) => `${writeState(state)}&${new URLSearchParams({ learner, ...more })}`;

const plane = new Plane($("plane"), {
  state: () => state, change: become, say, colours: offered.colours, most: offered.most, brush: () => brush, tool: () => tool,
});

/** The one place where the state changes. */
function become(next, dragging = false) {
  const before = state;
  state = next;
  document.body.dataset.version = ++version;
  if (before === null || before.learners !== state.learners || before.mode !== state.mode) makePanels();
  if (before === null || before.mode !== state.mode) makeControls();
  plane.draw();
  waiting.push({ version, start: performance.now(), side: dragging ? COARSE : offered.fine });
  for (const panel of panels) panel.ask({ version, side: dragging ? COARSE : offered.fine });
  if (panels.length === 0) followed();
  if (!dragging) settle();
}

/** What may wait until nothing is dragged. */
function settle() {
  history.replaceState(null, "", `?${writeState(state)}`);
  curve.task(state);
  for (const panel of panels) panel.askScore();
  if (state.seed !== null && !state.learners.includes("bayes")) ceiling.ask(query("bayes"), state.points.length);
  for (const id of ["one", "ten"]) $(id).disabled = state.seed === null;
  $("family").value = state.family;
  $("classes").value = state.classes;
  const family = offered.families.find((f) => f.name === state.family);
  $("about-family").textContent = family ? `Its rule: ${family.about}.${state.seed === null ? "" : ` This is task ${state.seed}, with ${state.points.length} points shown.`}` : "";
  $("ways").hidden = !(family?.most > 2);
  if ($("alike").open) alike.ask(query($("suspect").value));
  if ($("code").open) python.ask(writeState(state));
}

/** Measures, by the browser's own clock, how long each change took until every panel had been drawn again. */
function followed() {
  const seen = Math.min(version, ...panels.map((panel) => panel.version));
  if (!waiting.some((change) => change.version <= seen)) return;
  const done = waiting.filter((change) => change.version <= seen);
  waiting = waiting.filter((change) => change.version > seen);
  requestAnimationFrame(() => {
    for (const { version: number, start, side } of done)
      performance.measure("followed", { start, end: performance.now(), detail: { version: number, side } });
    document.body.dataset.followed = Math.max(seen, Number(document.body.dataset.followed ?? 0));
  });
}

function makePanels() {
  const kept = new Map(panels.map((panel) => [panel.choice.key, panel]));
  panels = state.learners.map((key, i) => {
    const choice = choices.get(key) ?? { key, title: key, about: "" };
    const old = kept.get(key);
    if (old && old.mode === state.mode && old.colour === colourOf(i, key)) return old;
    const panel = new Panel(choice, colourOf(i, key), offered, {
      state: () => state, query, drawn: followed, scored: (name, score, n) => curve.add(name, score, n),
    });
    panel.mode = state.mode;
    return panel;
  });
  $("panels").replaceChildren(...panels.map((panel) => panel.root));
  curve.lines(panels.map((panel) => ({ key: panel.choice.key, title: panel.choice.title, colour: panel.colour })));
  const suspect = $("suspect").value;
  $("suspect").replaceChildren(...panels.map((panel) => new Option(panel.choice.title, panel.choice.key)));
  if (state.learners.includes(suspect)) $("suspect").value = suspect;
}

/** Bayes is black, as the ceiling; the others have a colour each. */
function colourOf(i, key) {
  if (key === "bayes") return "#000000";
  const others = state.learners.filter((k) => k !== "bayes");
  return offered.colours[others.indexOf(key) % offered.colours.length];
}

function buttons(id, entries, pressed, choose) {
  $(id).replaceChildren(...entries.map(([value, content, label]) => {
    const button = document.createElement("button");
    button.setAttribute("aria-pressed", String(value === pressed));
    button.dataset.value = value;
    if (label) button.setAttribute("aria-label", label);
    button.append(content);
    button.addEventListener("click", () => {
      for (const other of $(id).children) other.setAttribute("aria-pressed", String(other === button));
      choose(value);
    });
    return button;
  }));
}

function badge(label) {
  const span = document.createElement("span");
  span.innerHTML = `<svg width="16" height="16" viewBox="-1.4 -1.4 2.8 2.8" aria-hidden="true"><path d="${SHAPES[label]}" fill="${offered.colours[label]}"/></svg> ${LETTERS[label]}`;
  return span;
}

function makeControls() {
  const classes = state.mode === "classes";
  buttons("modes", [["classes", "Classes"], ["numbers", "Numbers (1-D regression)"]], state.mode, switchMode);
  buttons("brushes", [...LETTERS].map((letter, i) => [i, badge(i), `class ${letter}`]), brush, (value) => { brush = value; });
  $("brushes").hidden = $("lead-classes").hidden = !classes;
  $("lead-numbers").hidden = classes;
  const flip = classes ? [["flip", "Flip class"]] : [];
  if (!classes && tool === "flip") tool = "move";
  buttons("tools", [["move", "Place and drag"], ...flip, ["delete", "Delete"]], tool, (value) => { tool = value; });
  const families = offered.families.filter((family) => family.mode === state.mode);
  $("family").replaceChildren(...families.map((family) => new Option(family.name, family.name)));
  $("classes").replaceChildren(...[2, 3, 4, 5].map((n) => new Option(n, n)));
  $("learners").replaceChildren(...offered.learners.filter((c) => c.modes.includes(state.mode)).map(pick));
}

function pick(choice) {
  const label = document.createElement("label"), box = document.createElement("input"), about = document.createElement("small");
  Object.assign(box, { type: "checkbox", value: choice.key, checked: state.learners.includes(choice.key), disabled: choice.missing !== "" });
  about.textContent = ` ${choice.about}`;
  label.append(box, ` ${choice.title}`, about);
  box.addEventListener("change", () => {
    const rest = state.learners.filter((key) => key !== choice.key);
    become(changed(state, { learners: Object.freeze(box.checked ? [...rest, choice.key] : rest) }));
  });
  return label;
}

function showBars({ bars }) {
  $("bars").replaceChildren(...bars.flatMap(({ name, total }) => {
    const [title, track, value] = ["span", "span", "span"].map((tag) => document.createElement(tag));
    title.textContent = name;
    value.textContent = total.toFixed(2);
    track.className = total < 0 ? "bar against" : "bar";
    track.style.width = `${100 * Math.abs(total)}%`;
    return [title, track, value];
  }));
}

/** Tasks are drawn one after the other, however quickly buttons are pressed. */
let drawing = Promise.resolve();
const inTurn = (work) => { drawing = drawing.then(work).catch((error) => say(error.message)); };

function newTask(fields) {
  inTurn(async () => {
    const wanted = changed(state, { seed: (state.seed ?? 0) + 1, drawn: START, ...fields });
    become(readState((await askOnce("task", writeState(wanted))).query));
  });
}

function addPoints(count) {
  inTurn(async () => {
    const drawn = Math.min(state.drawn + count, offered.most.points, state.drawn + offered.most.points - state.points.length);
    if (drawn === state.drawn) return say(`there is room for ${offered.most.points} points`);
    const found = readState((await askOnce("task", writeState(changed(state, { drawn })))).query);
    const points = Object.freeze([...state.points, ...found.points.slice(state.drawn)]);
    become(changed(state, { drawn, points, view: Math.max(state.view, found.view) }));
  });
}

function switchMode(mode) {
  if (mode === state.mode) return;
  const family = offered.families.find((f) => f.mode === mode).name;
  newTask({ mode, family, learners: Object.freeze(offered.defaults[mode]), points: [], classes: 2, seed: 1 });
}

$("family").addEventListener("change", () => newTask({ family: $("family").value }));
$("classes").addEventListener("change", () => newTask({ classes: Number($("classes").value) }));
$("draw").addEventListener("click", () => newTask({}));
$("one").addEventListener("click", () => addPoints(1));
$("ten").addEventListener("click", () => addPoints(10));
$("clear").addEventListener("click", () => { plane.chosen = null; become(changed(state, { points: Object.freeze([]), seed: null, drawn: 0 })); });
$("closer").addEventListener("click", () => become(changed(state, { view: Math.max(1, state.view / 1.5) })));
$("farther").addEventListener("click", () => become(changed(state, { view: Math.min(50, state.view * 1.5) })));
$("suspect").addEventListener("change", settle);
for (const id of ["alike", "code", "curves"]) $(id).addEventListener("toggle", settle);
$("copy").addEventListener("click", () => copy($("python").textContent));
$("share").addEventListener("click", () => copy(location.href));
const copy = (text) => navigator.clipboard.writeText(text).then(() => say("copied"), () => say("this browser does not let the page copy"));

const first = readState(offered.query);
const start = given.has("learners") && !wrong ? first : changed(first, { learners: Object.freeze(offered.defaults[first.mode]) });
if (location.search && !wrong) become(start);
else {
  state = start;
  makePanels();
  makeControls();
  newTask({ seed: 1 });
  say(wrong);
}
