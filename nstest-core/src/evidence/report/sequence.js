// The sequence diagram: rows of a fixed height, of which only those in sight are in the DOM,
// and below their texts one drawing with lanes, bands and arrows.

const ROW = 24;
const OVERSCAN = 12;
/** Browsers limit the height of an element; Firefox to some 17 million pixels. */
const MOST_ROWS = 600000;

class Sequence {
  constructor(model, onSelect) {
    Object.assign(this, { model, onSelect, layout: null, view: "lanes", selected: -1, frame: 0 });
    this.scroller = byId("rows");
    this.head = byId("lane-head");
    this.canvas = byId("canvas");
    this.scroller.addEventListener("scroll", () => this.schedule());
    new ResizeObserver(() => this.resize()).observe(this.scroller);
    this.canvas.addEventListener("click", (event) => {
      const row = event.target.closest("[data-row]");
      if (row) this.onSelect(Number(row.dataset.row), event.detail > 1);
    });
  }

  show(layout, view) {
    Object.assign(this, { layout, view, laneOf: new Map(layout.lanes.map((lane, index) => [lane.id, index])) });
    this.scroller.setAttribute("aria-rowcount", this.rows);
    this.scroller.classList.toggle("table", view === "table");
    this.resize();
  }

  get rows() {
    return Math.min(this.layout.rows.length, MOST_ROWS);
  }

  /** Chooses the widths: as much for the lanes as is left beside the texts. */
  resize() {
    if (!this.layout) return;
    const lanes = this.layout.lanes.length;
    const wide = this.scroller.clientWidth;
    this.bandWidth = Math.min(8, this.layout.bandColumns) * 9 + 10;
    const least = Math.max(1, lanes) * (lanes > 6 ? 84 : 112);
    const text = Math.min(560, Math.max(300, wide * 0.42));
    const left = wide - 150 - this.bandWidth - 52 - text;
    this.laneWidth = this.view === "table" ? 0 : Math.max(least, Math.min(left, Math.max(1, lanes) * 230));
    this.width = Math.max(wide, 150 + this.bandWidth + this.laneWidth + 52 + 300);
    const style = this.scroller.style;
    style.setProperty("--bands", `${this.bandWidth}px`);
    style.setProperty("--lanes", `${this.laneWidth}px`);
    this.canvas.style.width = this.head.style.width = `${this.width}px`;
    this.canvas.style.height = `${this.rows * ROW}px`;
    this.drawHead();
    this.draw();
  }

  schedule() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  /** The middle of a lane, from the left edge of the drawing. */
  laneX(node) {
    const index = this.laneOf.get(node);
    return index === undefined ? null : this.bandWidth + ((index + 0.5) * this.laneWidth) / this.layout.lanes.length;
  }

  drawHead() {
    const cell = (name, text) => h("span", { class: name, role: "columnheader" }, text);
    const cells = [cell("time", "time, s"), cell("since", "since")];
    if (this.view === "table") {
      cells.push(cell("where", "sent by"), cell("where", "received by"), cell("length", "length"));
    } else {
      const each = this.laneWidth / Math.max(1, this.layout.lanes.length);
      const lanes = this.layout.lanes.map((lane) => {
        const addresses = (lane.node?.ends ?? []).flatMap((end) => end.addresses.map((a) => a.split("/")[0]));
        const shown = addresses.find((address) => !address.includes(":")) ?? addresses[0] ?? "";
        const more = addresses.length > 1 ? ` +${addresses.length - 1}` : "";
        return h("span", { class: "lane", style: `width:${each}px`, title: `${lane.name}: ${addresses.join(", ")}` },
          h("b", null, lane.name), h("small", null, shown + more));
      });
      cells.push(h("span", { class: "lanes", role: "columnheader" }, lanes));
    }
    cells.push(cell("number", "#"), cell("summary", "packet"));
    this.head.replaceChildren(...cells);
  }

  draw() {
    const inSight = Math.ceil(this.scroller.clientHeight / ROW) + 2 * OVERSCAN;
    const last = Math.max(0, this.rows - inSight);
    const top = Math.min(last, Math.max(0, Math.floor(this.scroller.scrollTop / ROW) - OVERSCAN));
    const bottom = Math.min(this.rows, top + inSight);
    const children = [];
    for (let index = top; index < bottom; index += 1) children.push(this.row(index));
    if (this.view !== "table") children.push(this.drawing(top, bottom));
    this.canvas.replaceChildren(...children);
  }

  row(index) {
    const row = this.layout.rows[index];
    const classes = ["row", row.type];
    if (row.transmission) {
      if (row.transmission.fates.some((fate) => fate.effect === "dropped")) classes.push("dropped");
      if (row.event.received && row.transmission.send) classes.push("reception");
    }
    if (row.type === "ended") classes.push(row.event.passed ? "passed" : "failed");
    const selected = index === this.selected;
    if (selected) classes.push("selected");
    return h("div", {
      class: classes.join(" "), role: "row", id: `row-${index}`, "data-row": row.type === "gap" ? null : index,
      "data-anchor": row.anchor, "aria-rowindex": index + 1, "aria-selected": String(selected),
      style: `top:${index * ROW}px`,
    }, rowCells(this.model, row, this.view, this.indent(row)));
  }

  /** How far right the text of a row begins that belongs to a lane. */
  indent(row) {
    if (this.view === "table" || (row.type !== "step" && row.type !== "log")) return 0;
    const x = this.laneX(nodeOf(row.event));
    return x === null ? 0 : x - this.bandWidth + 8;
  }

  drawing(top, bottom) {
    const height = (bottom - top) * ROW;
    const width = this.bandWidth + this.laneWidth;
    const y = (row) => (row - top) * ROW;
    const marks = [];
    for (const band of this.layout.bands) marks.push(...this.band(band, top, bottom, y));
    for (const lane of this.layout.lanes) {
      const x = this.laneX(lane.id);
      marks.push(s("line", { class: "lane-line", x1: x, x2: x, y1: 0, y2: height }));
    }
    for (const { end, row0, row1 } of this.layout.downs) {
      const x = this.laneX(end.node);
      if (x === null || row1 <= top || row0 >= bottom) continue;
      const [from, to] = [Math.max(row0, top), Math.min(row1, bottom)];
      const title = s("title", null, `${endName(this.model, end.id)} is down`);
      marks.push(s("rect", { class: "down", x: x - 4, width: 8, y: y(from) + 2, height: (to - from) * ROW - 4, rx: 2 }, title));
    }
    const arrows = new Set();
    for (let chunk = Math.floor(top / CHUNK); chunk <= Math.floor(bottom / CHUNK); chunk += 1) {
      (this.layout.chunks[chunk] ?? []).forEach((arrow) => arrows.add(arrow));
    }
    for (const arrow of arrows) {
      if (arrow.row1 >= top && arrow.row0 < bottom) marks.push(drawArrow(this, arrow, y));
    }
    for (let index = top; index < bottom; index += 1) {
      const row = this.layout.rows[index];
      const x = row.type === "step" || row.type === "log" ? this.laneX(nodeOf(row.event)) : null;
      if (x !== null) marks.push(s("rect", { class: "at-node", x: x - 4, y: y(index) + ROW / 2 - 4, width: 8, height: 8, transform: `rotate(45 ${x} ${y(index) + ROW / 2})` }));
    }
    return s("svg", { class: "drawing", width, height, style: `top:${top * ROW}px`, "aria-hidden": "true" }, marks);
  }

  /** A fault: a narrow bar, filled where it was in force. */
  band(band, top, bottom, y) {
    if (band.row1 <= top || band.row0 >= bottom || band.column >= 8) return [];
    const x = 6 + band.column * 9;
    const rect = ([row0, row1], name) => {
      const [from, to] = [Math.max(row0, top - 1), Math.min(row1, bottom + 1)];
      return to > from ? s("rect", { class: name, x, width: 6, y: y(from) + 3, height: (to - from) * ROW - 6, rx: 2 }) : null;
    };
    const number = band.row0 >= top ? s("text", { class: "band-number", x: x + 3, y: y(band.row0) + 15 }, String(band.fault.id)) : null;
    return [rect([band.row0, band.row1], "band"), ...band.spans.map((span) => rect(span, "band on")), number].filter(Boolean);
  }

  select(index) {
    this.selected = index;
    if (index >= 0) this.scroller.setAttribute("aria-activedescendant", `row-${index}`);
    else this.scroller.removeAttribute("aria-activedescendant");
    this.draw();
  }

  /** Scrolls so that the row is in sight, in the middle if it was not before. */
  reveal(index) {
    const head = this.head.offsetHeight;
    const [top, height] = [this.scroller.scrollTop, this.scroller.clientHeight - head];
    const y = index * ROW;
    if (y < top || y + ROW > top + height) this.scroller.scrollTop = Math.max(0, y - height / 2);
  }

  get pageRows() {
    return Math.max(1, Math.floor(this.scroller.clientHeight / ROW) - 2);
  }
}
