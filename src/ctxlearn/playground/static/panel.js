// One learner's panel: its answers all over the plane, its score, and what it leans on at a place.

import { Asker } from "./ask.js";
import { drawMark, rgb } from "./marks.js";
import { LETTERS } from "./state.js";

const SIZE = 264;
const ROUGH = 132; // pixels of a picture that the next one soon replaces
const kept = { willReadFrequently: true }; // in memory: small pictures that change often are slow to send to a graphics card
const percent = (share) => `${(100 * share).toFixed(1)} %`;

export class Panel {
  /** `look` has colours, fine; `drawn(panel)` and `scored(panel, score, n)` are told what came. */
  constructor(choice, colour, look, { state, query, drawn, scored }) {
    Object.assign(this, { choice, colour, look, state, query, onDrawn: drawn, onScored: scored });
    this.version = 0;
    this.settled = null;
    this.image = null;
    this.place = { x: 0, y: 0 };
    this.root = document.createElement("article");
    this.root.className = "panel";
    this.root.dataset.learner = choice.key;
    this.root.innerHTML =
      '<h2></h2><p class="about"></p><canvas tabindex="0" role="img"></canvas><p class="why" role="status"></p><p class="score"></p><p class="told"></p>';
    for (const name of ["h2", "canvas", "about", "why", "score", "told"])
      this[name] = this.root.querySelector(name === "h2" || name === "canvas" ? name : `.${name}`);
    this.h2.textContent = choice.title;
    this.about.textContent = choice.about;
    this.canvas.width = this.canvas.height = SIZE;
    this.pen = this.canvas.getContext("2d", kept);
    this.answers = new Asker("panel", (found, note) => this.#show(found, note), (why, note) => this.#refuse(why, note));
    this.scores = new Asker("score", (found, n) => this.#score(found.score, n), () => this.#score(null));
    this.leanings = new Asker("leaning", (found, at) => this.#lean(found, at));
    this.canvas.addEventListener("pointermove", (event) => this.#look(this.#at(event)));
    this.canvas.addEventListener("pointerdown", (event) => this.#look(this.#at(event)));
    this.canvas.addEventListener("pointerleave", () => this.#leave());
    this.canvas.addEventListener("blur", () => this.#leave());
    this.canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  ask(note) {
    this.answers.ask(this.query(this.choice.key, { side: note.side }), { ...note, state: this.state() });
  }

  askScore() {
    if (this.state().seed === null) this.#score(null);
    else this.scores.ask(this.query(this.choice.key), this.state().points.length);
  }

  #show(found, note) {
    this.root.classList.remove("missing");
    this.why.textContent = "";
    this.image = note.state.mode === "numbers" ? this.#numbers(found, note.state) : this.#classes(found, note);
    this.#paint(note.state);
    this.#done(note);
  }

  #refuse(why, note) {
    this.root.classList.add("missing");
    this.why.textContent = why;
    this.told.textContent = this.score.textContent = "";
    this.image = this.settled = null;
    this.pen.clearRect(0, 0, SIZE, SIZE);
    this.canvas.setAttribute("aria-label", `${this.choice.title}: ${why}`);
    this.#done(note);
  }

  #done(note) {
    this.version = note.version;
    this.onDrawn(this);
  }

  #classes(found, note) {
    const { side, classes } = found;
    const p = Uint8Array.from(atob(found.p), (c) => c.charCodeAt(0));
    const winners = new Uint8Array(side * side), counts = new Array(classes).fill(0);
    for (let i = 0; i < winners.length; i++) {
      let best = 0;
      for (let c = 1; c < classes; c++) if (p[i * classes + c] > p[i * classes + best]) best = c;
      winners[i] = best;
      counts[best]++;
    }
    const shares = counts.map((n, c) => `${LETTERS[c]} ${Math.round((100 * n) / winners.length)} %`).join(", ");
    this.canvas.setAttribute("aria-label", `${this.choice.title}: of the plane ${shares}`);
    this.root.dataset.counts = counts.join(",");
    this.root.dataset.side = side;
    if (side === this.look.fine) this.#compare(winners, note.state.view, shares);
    return regions(p, side, classes, this.look.colours, side < this.look.fine ? ROUGH : SIZE);
  }

  /** What the last change moved, from one settled picture to the next. */
  #compare(winners, view, shares) {
    const before = this.settled;
    let text = shares;
    if (before !== null && before.view === view && before.winners.length === winners.length) {
      const moved = winners.reduce((sum, c, i) => sum + (c !== before.winners[i]), 0) / winners.length;
      this.root.dataset.moved = moved.toFixed(4);
      text += moved > 0 ? `. The last change moved ${percent(moved)}` : ". The last change moved nothing";
    }
    this.summary = text;
    this.told.textContent = text;
    this.settled = { winners, view };
  }

  #numbers(found, state) {
    const canvas = new OffscreenCanvas(SIZE, SIZE), pen = canvas.getContext("2d", kept);
    const count = found.mean.length;
    const across = (i) => (i / (count - 1)) * SIZE, down = (y) => (1 - y / state.view) * SIZE / 2;
    if (found.bands !== null) {
      for (const [low, high, depth] of [[0, 4, 0.18], [1, 3, 0.3]]) {
        pen.globalAlpha = depth;
        pen.fillStyle = this.colour;
        pen.beginPath();
        found.bands[high].forEach((y, i) => pen.lineTo(across(i), down(y)));
        [...found.bands[low].entries()].reverse().forEach(([i, y]) => pen.lineTo(across(i), down(y)));
        pen.fill();
      }
      pen.globalAlpha = 1;
    }
    pen.strokeStyle = this.colour;
    pen.lineWidth = 2.5;
    pen.beginPath();
    found.mean.forEach((y, i) => pen.lineTo(across(i), down(y)));
    pen.stroke();
    this.summary = found.bands === null ? "the line is its answer; it gives no band" : "bands: 50 % and 90 % of what it expects";
    this.told.textContent = this.summary;
    this.root.dataset.bands = found.bands === null ? "none" : "there";
    const [first, last] = [found.mean[0], found.mean[count - 1]].map((y) => y.toFixed(2));
    this.canvas.setAttribute("aria-label", `${this.choice.title}: from ${first} on the left to ${last} on the right`);
    return canvas;
  }

  #paint(state, leans = null, at = null) {
    const { pen } = this;
    pen.clearRect(0, 0, SIZE, SIZE);
    if (this.image === null) return;
    pen.drawImage(this.image, 0, 0, SIZE, SIZE);
    const out = (x, y) => [(1 + x / state.view) * SIZE / 2, (1 - y / state.view) * SIZE / 2];
    const most = leans === null ? 1 : Math.max(...leans.map(Math.abs), 1e-6);
    state.points.forEach((point, i) => {
      const weight = leans === null ? 0.3 : Math.abs(leans[i]) / most;
      const colour = state.mode === "numbers" ? "#000" : this.look.colours[point.label];
      const against = leans !== null && leans[i] < 0;
      drawMark(pen, point.label, ...out(point.x, point.y), 2.6 + 5 * weight, against ? "#fff" : colour, leans === null ? "#fff" : against ? colour : "#000");
    });
    if (at === null) return;
    const [x, y] = out(at.x, at.y);
    pen.strokeStyle = "#000";
    pen.lineWidth = 1.5;
    pen.strokeRect(x - 5, y - 5, 10, 10);
  }

  #at(event) {
    const box = this.canvas.getBoundingClientRect(), { view } = this.state();
    return {
      x: ((event.clientX - box.left) / box.width * 2 - 1) * view,
      y: (1 - (event.clientY - box.top) / box.height * 2) * view,
    };
  }

  #look(at) {
    const state = this.state();
    if (this.image === null || state.mode === "numbers" || state.points.length === 0) return;
    this.place = at;
    this.looking = true;
    this.leanings.ask(this.query(this.choice.key, { x: at.x.toFixed(3), y: at.y.toFixed(3) }), { at, state });
  }

  #lean(found, { at, state }) {
    if (!this.looking || state !== this.state()) return;
    const best = found.p.indexOf(Math.max(...found.p));
    const most = found.leans.reduce((k, v, i) => (v > found.leans[k] ? i : k), 0);
    const reason = found.leans[most] > 0.0005 ? `leans most on point ${most + 1} (${percent(found.leans[most])})` : "no single point matters";
    this.told.textContent = `here ${LETTERS[best]} with ${percent(found.p[best])}; ${reason}`;
    this.root.dataset.leans = found.leans.join(",");
    this.#paint(state, found.leans, at);
  }

  #leave() {
    if (!this.looking) return;
    this.looking = false;
    this.leanings.drop();
    this.told.textContent = this.summary ?? "";
    this.#paint(this.state());
  }

  #key(event) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (!(event.key in moves)) return;
    event.preventDefault();
    const { view } = this.state(), step = view / 20;
    const clip = (value) => Math.max(-view, Math.min(view, value));
    this.#look({ x: clip(this.place.x + step * moves[event.key][0]), y: clip(this.place.y + step * moves[event.key][1]) });
  }

  #score(score, n) {
    const numbers = this.state().mode === "numbers";
    this.score.textContent = score === null ? "" : numbers ? `error on fresh points ${score.toFixed(3)}` : `right on ${percent(score)} of fresh points`;
    if (score !== null) this.onScored(this.choice.key, score, n);
  }
}

/** The regions as a picture: the answer's colour, deeper where it is surer, with a line where the answer changes. */
function regions(p, side, classes, colours, size) {
  const canvas = new OffscreenCanvas(size, size), pen = canvas.getContext("2d", kept);
  const picture = pen.createImageData(size, size), data = picture.data;
  const tint = colours.map(rgb), winners = new Uint8Array(size * size);
  const low = new Int32Array(size), share = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    const at = Math.min(side - 1, Math.max(0, ((i + 0.5) / size) * side - 0.5));
    low[i] = Math.min(side - 2, Math.floor(at));
    share[i] = at - low[i];
  }
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const first = (low[row] * side + low[column]) * classes, next = first + side * classes;
      const v = share[row], h = share[column], place = row * size + column;
      let best = 0, most = -1;
      for (let c = 0; c < classes; c++) {
        const top = p[first + c] * (1 - h) + p[first + classes + c] * h;
        const bottom = p[next + c] * (1 - h) + p[next + classes + c] * h;
        const value = top * (1 - v) + bottom * v;
        if (value > most) [best, most] = [c, value];
      }
      winners[place] = best;
      const depth = 0.14 + 0.5 * Math.max(0, (most / 255 - 1 / classes) / (1 - 1 / classes));
      for (let k = 0; k < 3; k++) data[4 * place + k] = 255 + (tint[best][k] - 255) * depth;
      data[4 * place + 3] = 255;
      const differs = (column && winners[place - 1] !== best) || (row && winners[place - size] !== best);
      if (differs) data[4 * place] = data[4 * place + 1] = data[4 * place + 2] = 30;
    }
  }
  pen.putImageData(picture, 0, 0);
  return canvas;
}
