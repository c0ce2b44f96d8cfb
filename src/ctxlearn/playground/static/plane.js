// The plane on which points are placed, dragged, flipped and deleted, with pointer, touch or keyboard.

import { LETTERS, classCount, edit, place, remove } from "./state.js";
import { SHAPES } from "./marks.js";

const SVG = "http://www.w3.org/2000/svg";
const HALF = 100;

function element(name, attributes, parent) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent?.append(made);
  return made;
}

export class Plane {
  /** `change(state, dragging)` is told every new state; `say(text)` is read aloud. */
  constructor(svg, { state, change, say, colours, most, brush, tool }) {
    Object.assign(this, { svg, state, change, say, colours, most, brush, tool });
    this.chosen = null;
    this.cross = { x: 0, y: 0 };
    this.dragged = null;
    svg.addEventListener("pointerdown", (event) => this.#down(event));
    svg.addEventListener("pointermove", (event) => this.#move(event));
    svg.addEventListener("pointerup", () => this.#up());
    svg.addEventListener("pointercancel", () => this.#up());
    svg.addEventListener("contextmenu", (event) => event.preventDefault());
    svg.addEventListener("keydown", (event) => this.#key(event));
  }

  get numbers() {
    return this.state().mode === "numbers";
  }

  draw() {
    const state = this.state();
    this.svg.replaceChildren();
    const step = state.view / 2;
    for (const k of [-2, -1, 0, 1, 2]) {
      const at = (k * HALF) / 2;
      element("line", { class: "axis", x1: at, x2: at, y1: -HALF, y2: HALF }, this.svg);
      element("line", { class: "axis", x1: -HALF, x2: HALF, y1: at, y2: at }, this.svg);
      if (k === 2 || k === -2) continue;
      element("text", { x: at + 1, y: HALF - 2 }, this.svg).textContent = `${k * step}`;
      if (k !== 0) element("text", { x: -HALF + 1, y: -at - 1 }, this.svg).textContent = `${k * step}`;
    }
    state.points.forEach((point, i) => {
      const at = `translate(${this.#out(point.x)} ${-this.#out(point.y)}) scale(3.6)`;
      element("path", {
        d: SHAPES[point.label], transform: at, fill: this.numbers ? "#000" : this.colours[point.label],
        class: `point${i === this.chosen ? " chosen" : ""}`, "data-i": i, "vector-effect": "non-scaling-stroke",
      }, this.svg);
    });
    const { x, y } = { x: this.#out(this.cross.x), y: -this.#out(this.cross.y) };
    element("path", { class: "cross", d: `M${x - 6} ${y}H${x + 6}M${x} ${y - 6}V${y + 6}` }, this.svg);
    this.svg.setAttribute("aria-label", `Plane with ${state.points.length} points, from ${-state.view} to ${state.view}`);
  }

  #out = (value) => (value / this.state().view) * HALF;

  #place(event) {
    const box = this.svg.getBoundingClientRect();
    const { view } = this.state();
    const clip = (value) => Math.max(-view, Math.min(view, Math.round(value * 100) / 100));
    return {
      x: clip(((event.clientX - box.left) / box.width * 2 - 1) * view),
      y: clip((1 - (event.clientY - box.top) / box.height * 2) * view),
    };
  }

  /** The point under the pointer, or the nearest one within a finger's width. */
  #near(event) {
    const box = this.svg.getBoundingClientRect();
    const { view, points } = this.state();
    const reach = (event.pointerType === "touch" ? 22 : 11) * (2 * view) / box.width;
    const at = this.#place(event);
    let best = null, least = reach;
    points.forEach((p, i) => {
      const gap = Math.hypot(p.x - at.x, p.y - at.y);
      if (gap <= least) [best, least] = [i, gap];
    });
    return best;
  }

  #down(event) {
    event.preventDefault();
    this.svg.focus({ focusVisible: false, preventScroll: true });
    const i = this.#near(event), tool = event.button === 2 || event.altKey ? "delete" : this.tool();
    if (i !== null && tool === "delete") return this.#delete(i);
    if (i !== null && tool === "flip") return this.#flip(i);
    if (tool !== "move") return;
    if (i === null) {
      if (!this.#add(this.#place(event))) return;
    } else this.chosen = i;
    this.dragged = this.chosen;
    this.svg.setPointerCapture(event.pointerId);
    this.draw();
  }

  #move(event) {
    if (this.dragged === null) return;
    this.change(edit(this.state(), this.dragged, this.#place(event)), true);
  }

  #up() {
    if (this.dragged === null) return;
    this.dragged = null;
    this.#tell(this.chosen);
    this.chosen = null;
    this.change(this.state(), false);
  }

  #add(at) {
    const state = this.state();
    if (state.points.length >= this.most.points) {
      this.say(`there is room for ${this.most.points} points`);
      return false;
    }
    this.chosen = state.points.length;
    this.change(place(state, { ...at, label: this.numbers ? 0 : this.brush() }), false);
    this.#tell(this.chosen);
    return true;
  }

  #delete(i) {
    this.chosen = null;
    this.change(remove(this.state(), i), false);
    this.say(`point ${i + 1} deleted`);
  }

  #flip(i, label = null) {
    if (this.numbers) return;
    const state = this.state();
    this.change(edit(state, i, { label: label ?? (state.points[i].label + 1) % classCount(state) }), false);
    this.#tell(i);
  }

  #tell(i) {
    const p = this.state().points[i];
    if (p) this.say(`point ${i + 1}: ${this.numbers ? "" : `class ${LETTERS[p.label]} `}at ${p.x}, ${p.y}`);
  }

  #key(event) {
    const state = this.state(), count = state.points.length, i = this.chosen;
    const step = (state.view / 40) * (event.shiftKey ? 5 : 1);
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (key in moves) {
      const from = i === null ? this.cross : state.points[i];
      const clip = (value) => Math.max(-state.view, Math.min(state.view, Math.round(value * 100) / 100));
      const to = { x: clip(from.x + step * moves[key][0]), y: clip(from.y + step * moves[key][1]) };
      if (i === null) {
        this.cross = to;
        this.say(`cross at ${to.x}, ${to.y}`);
      } else {
        this.change(edit(state, i, to), false);
        this.#tell(i);
      }
    } else if (key === "Enter" || key === " ") {
      this.#add({ ...this.cross });
      this.chosen = null;
    } else if ((key === "n" || key === "p") && count) {
      const by = key === "n" ? 1 : -1;
      this.chosen = i === null ? (by > 0 ? 0 : count - 1) : (i + by + count) % count;
      this.#tell(this.chosen);
    } else if (key === "Escape") this.chosen = null;
    else if (i !== null && (key === "Delete" || key === "Backspace")) this.#delete(i);
    else if (i !== null && key === "f") this.#flip(i);
    else if (i !== null && "12345".includes(key) && key !== "") this.#flip(i, Number(key) - 1);
    else return;
    event.preventDefault();
    this.draw();
  }
}
