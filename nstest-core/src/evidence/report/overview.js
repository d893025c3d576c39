// The whole test on one axis of time: how many packets, which faults, links that were down,
// steps. A drag selects a range of time; so do two sliders, for the keyboard.

const TRACK = 11;
const HISTOGRAM = 26;
const MOST_TRACKS = 6;

class Overview {
  constructor(model, onRange, onJump) {
    Object.assign(this, { model, onRange, onJump, range: null, selected: null, width: 50 });
    this.root = byId("overview");
    this.tracks = this.chooseTracks();
    this.root.style.height = `${14 + HISTOGRAM + this.tracks.height + 18}px`;
    this.sliders = ["first", "last"].map((name, index) => this.slider(name, index));
    this.box = h("div", { id: "overview-plot" });
    this.mark = h("div", { id: "overview-range", hidden: true });
    this.cursor = h("div", { id: "overview-cursor", hidden: true });
    this.root.append(this.box, this.mark, this.cursor, ...this.sliders);
    this.root.addEventListener("pointerdown", (event) => this.drag(event));
    new ResizeObserver(() => this.draw()).observe(this.root);
  }

  get span() {
    const length = this.model.to - this.model.from || 0.001;
    return [this.model.from, this.model.to + length * 0.01];
  }

  x(time) {
    const [from, to] = this.span;
    return 12 + ((time - from) / (to - from)) * this.width;
  }

  time(x) {
    const [from, to] = this.span;
    return Math.min(to, Math.max(from, from + ((x - 12) / this.width) * (to - from)));
  }

  chooseTracks() {
    const { faults, ends, to } = this.model;
    const spans = [...faults.values()].map((fault) => ({
      span: [fault.injected, fault.ended ?? to], parts: fault.spans, name: `fault ${fault.id}: ${fault.text}`, tone: "band", label: fault.id,
    }));
    for (const end of ends.values()) {
      for (const span of end.down) spans.push({ span, parts: [span], name: `${endName(this.model, end.id)} is down`, tone: "down", label: `${endName(this.model, end.id)} down` });
    }
    spans.sort((a, b) => a.span[0] - b.span[0]);
    columns(spans.map(({ span }) => span)).forEach((column, index) => (spans[index].track = column));
    const used = Math.max(0, ...spans.map(({ track }) => track + 1));
    const shown = spans.filter(({ track }) => track < MOST_TRACKS);
    return { shown, left: spans.length - shown.length, height: Math.min(used, MOST_TRACKS) * TRACK + (used ? 4 : 0) };
  }

  draw() {
    const { model, tracks } = this;
    const width = Math.max(50, this.root.clientWidth - 24);
    this.width = width;
    const base = 14 + HISTOGRAM;
    const marks = [];
    const bins = Array.from({ length: Math.floor(width / 4) }, () => ({ all: 0, bad: 0 }));
    for (const { first, fates } of model.transmissions) {
      const bin = bins[Math.min(bins.length - 1, Math.max(0, Math.floor((this.x(first.time) - 12) / 4)))];
      bin.all += 1;
      if (fates.some((fate) => fate.effect !== "delayed")) bin.bad += 1;
    }
    const most = Math.max(1, ...bins.map((bin) => bin.all));
    const tall = (number) => (number === 0 ? 0 : 2 + (HISTOGRAM - 2) * Math.sqrt(number / most));
    bins.forEach((bin, index) => {
      const bar = (number, name) => number && s("rect", { class: name, x: 12 + index * 4, width: 3, y: base - tall(number), height: tall(number) });
      marks.push(bar(bin.all, "bin"), bar(bin.bad, "bin bad"));
    });
    marks.push(s("line", { class: "axis", x1: 12, x2: 12 + width, y1: base + 0.5, y2: base + 0.5 }));
    for (const { span, parts, name, tone, label, track } of tracks.shown) {
      const y = base + 4 + track * TRACK;
      const bar = ([from, to], tone) => s("rect", { class: tone, x: this.x(from), width: Math.max(2, this.x(to) - this.x(from)), y, height: TRACK - 2, rx: 2 }, s("title", null, name));
      marks.push(bar(span, tone), ...parts.map((part) => bar(part, `${tone} on`)));
      const room = this.x(span[1]) - this.x(span[0]) > String(label).length * 6 + 6;
      if (room) marks.push(s("text", { class: `${tone}-label`, x: this.x(span[0]) + 4, y: y + TRACK - 4 }, label));
    }
    for (const item of model.items) {
      if (item.type !== "step") continue;
      const x = this.x(item.time);
      marks.push(s("path", { class: "step-mark", d: `M${x} 13 l-4 -7 h8 Z` }, s("title", null, item.event.text)));
      marks.push(s("line", { class: "step-line", x1: x, x2: x, y1: 13, y2: base }));
    }
    const bottom = base + tracks.height + 13;
    for (const tick of this.ticks()) {
      marks.push(s("line", { class: "tick", x1: this.x(tick), x2: this.x(tick), y1: base, y2: bottom - 9 }));
      const text = Math.abs(tick) < 1e-12 ? "0" : duration(tick).replace(/(\.\d*?)0+ /, "$1 ").replace(". ", " ");
      marks.push(s("text", { class: "tick-text", x: this.x(tick), y: bottom }, text));
    }
    if (tracks.left) marks.push(s("text", { class: "tick-text", x: width, y: 10 }, `${count(tracks.left, "more band")}`));
    this.box.replaceChildren(s("svg", { width: width + 24, height: bottom + 4, "aria-hidden": "true" }, marks.filter(Boolean)));
    this.show(this.range, this.selected);
  }

  ticks() {
    const [from, to] = this.span;
    const rough = (to - from) / Math.max(2, this.width / 110);
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
    const first = Math.ceil(from / step);
    const last = Math.floor(to / step);
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => (first + index) * step);
  }

  /** Shows the range, and where the selected row is. */
  show(range, selected) {
    Object.assign(this, { range, selected });
    const [from, to] = range ?? this.span;
    this.mark.hidden = range === null;
    this.mark.style.left = `${this.x(from)}px`;
    this.mark.style.width = `${Math.max(1, this.x(to) - this.x(from))}px`;
    this.cursor.hidden = selected === null;
    if (selected !== null) this.cursor.style.left = `${this.x(selected)}px`;
    [from, to].forEach((time, index) => {
      const slider = this.sliders[index];
      slider.style.left = `${this.x(time)}px`;
      slider.setAttribute("aria-valuemin", this.span[0].toFixed(6));
      slider.setAttribute("aria-valuemax", this.span[1].toFixed(6));
      slider.setAttribute("aria-valuenow", time.toFixed(6));
      slider.setAttribute("aria-valuetext", `${clock(time)} seconds`);
    });
  }

  drag(event) {
    if (event.button !== 0) return;
    const left = this.root.getBoundingClientRect().left;
    const at = (event) => this.time(event.clientX - left);
    const index = this.sliders.indexOf(event.target);
    const [from, to] = this.range ?? this.span;
    // A slider keeps the other end; elsewhere a new range begins.
    const anchor = index < 0 ? at(event) : index === 0 ? to : from;
    const start = event.clientX;
    let moved = false;
    const move = (event) => {
      moved ||= Math.abs(event.clientX - start) > 3;
      if (moved) this.show([Math.min(anchor, at(event)), Math.max(anchor, at(event))], this.selected);
    };
    const up = (event) => {
      removeEventListener("pointermove", move);
      if (!moved && index < 0) this.onJump(at(event));
      else if (moved) this.onRange(this.range);
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", up, { once: true });
    if (index < 0) event.preventDefault();
  }

  slider(name, index) {
    return h("div", {
      class: "slider", role: "slider", tabindex: 0, "aria-label": `${name} time shown`, "aria-orientation": "horizontal",
      onkeydown: (event) => this.slide(event, index),
    });
  }

  slide(event, index) {
    const [from, to] = this.span;
    const step = (to - from) * (event.shiftKey ? 0.05 : 0.01);
    const by = { ArrowLeft: -step, ArrowDown: -step, ArrowRight: step, ArrowUp: step, Home: -Infinity, End: Infinity }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const range = [...(this.range ?? this.span)];
    const [low, high] = index === 0 ? [from, range[1] - step / 10] : [range[0] + step / 10, to];
    range[index] = Math.min(high, Math.max(low, range[index] + by));
    const whole = range[0] <= from && range[1] >= to;
    this.onRange(whole ? null : range);
  }
}
