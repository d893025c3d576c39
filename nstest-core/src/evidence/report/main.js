// Starts the page: reads the record, and keeps rows, selection, filters and URL together.

class App {
  constructor(text, title) {
    this.model = buildModel(text);
    this.chips = [];
    this.state = readHash(location.hash, this.model);
    this.full = layOut(this.model, noFilters());
    this.layout = this.full;
    this.sequence = new Sequence(this.model, (index, twice) => {
      this.select(index);
      if (twice || !byId("detail").hidden) this.openDetail(true);
    });
    this.overview = new Overview(this.model, (range) => this.filter({ range }), (time) => this.jumpTo(time));
    this.act = { goto: (anchor) => this.goto(anchor), filter: (change) => this.filter(change) };
    fillHeader(this.model, title);
    fillSide(this.model, this.full, this.act);
    fillControls(this.model, this);
    const strip = this.model.points.length > 0;
    byId("exploration").hidden = !strip;
    if (strip) byId("exploration").replaceChildren(...explorationStrip(this.model, this.act));
    document.addEventListener("keydown", (event) => onKey(this, event));
    addEventListener("hashchange", () => this.readUrl());
    this.apply();
    if (this.state.anchor) this.goto(this.state.anchor);
  }

  apply() {
    const anchor = this.state.anchor;
    this.layout = anyFilter(this.state.filters) ? layOut(this.model, this.state.filters) : (this.full = layOut(this.model, noFilters()));
    this.sequence.selected = anchor ? this.layout.rowOf.get(anchor) ?? -1 : -1;
    this.sequence.show(this.layout, this.state.view);
    byId("empty").hidden = this.layout.rows.length > 0;
    showControls(this);
    this.showSelection();
    this.writeUrl();
  }

  filter(change) {
    Object.assign(this.state.filters, change);
    this.apply();
    if (this.sequence.selected >= 0) this.sequence.reveal(this.sequence.selected);
  }

  clear() {
    this.state.filters = noFilters();
    this.apply();
    if (this.sequence.selected >= 0) this.sequence.reveal(this.sequence.selected);
  }

  select(index) {
    const row = this.layout.rows[index];
    this.state.anchor = row?.anchor ?? null;
    this.sequence.select(row ? index : -1);
    this.showSelection();
    this.writeUrl();
  }

  /** Selects a row by its name in the URL. If a filter hides it, all filters end. */
  goto(anchor) {
    if (!this.layout.rowOf.has(anchor) && this.full.rowOf.has(anchor)) this.state.filters = noFilters();
    this.state.anchor = anchor;
    this.apply();
    const index = this.layout.rowOf.get(anchor);
    if (index === undefined) return;
    this.sequence.select(index);
    this.sequence.reveal(index);
    this.openDetail(true);
  }

  move(by) {
    const { rows } = this.layout;
    if (rows.length === 0) return;
    const last = Math.min(rows.length, MOST_ROWS) - 1;
    const now = this.sequence.selected;
    let index = now < 0 ? (by < 0 ? last : Math.abs(by) > 1 ? last : this.firstInSight()) : Math.min(last, Math.max(0, now + by));
    if (now < 0 && by <= -rows.length) index = 0;
    const way = by > 0 ? 1 : -1;
    while (rows[index]?.type === "gap") index += way;
    if (!rows[index]) return;
    this.select(index);
    this.sequence.reveal(index);
  }

  firstInSight() {
    return Math.min(this.layout.rows.length - 1, Math.ceil(this.sequence.scroller.scrollTop / ROW));
  }

  /** Moves to the next row that explains a failure: a fault, a link, a note, a packet that a
   * fault affected or that is missing. */
  jump(way) {
    const { rows } = this.layout;
    const tells = (row) =>
      ["fault", "link", "note", "ended"].includes(row.type) ||
      (row.transmission && !(row.event.received && row.transmission.send) &&
        (isLost(row.transmission) || row.transmission.fates.some((fate) => fate.effect !== "delayed")));
    const start = this.sequence.selected < 0 ? this.firstInSight() - way : this.sequence.selected;
    for (let index = start + way; index >= 0 && index < rows.length; index += way) {
      if (!tells(rows[index])) continue;
      this.select(index);
      this.sequence.reveal(index);
      return;
    }
  }

  jumpTo(time) {
    const index = Math.min(firstAt(this.layout.rows, time), this.layout.rows.length - 1);
    if (index >= 0) this.sequence.scroller.scrollTop = Math.max(0, (index - 2) * ROW);
  }

  /** Sets the beginning (0) or the end (1) of the range to the selected row. */
  limit(index) {
    const row = this.layout.rows[this.sequence.selected];
    if (!row) return;
    const range = [...(this.state.filters.range ?? this.overview.span)];
    const last = Math.max(row.time, ...(row.transmission?.receives ?? []).map((record) => record.time));
    range[index] = index === 0 ? row.time - 5e-7 : last + 5e-7;
    if (range[0] < range[1]) this.filter({ range });
  }

  filterSelectedFlow() {
    const flow = this.layout.rows[this.sequence.selected]?.transmission?.first.flow ?? null;
    this.filter({ flow: this.state.filters.flow === flow ? null : flow });
  }

  toggleView() {
    this.state.view = this.state.view === "table" ? "lanes" : "table";
    this.apply();
  }

  showSelection() {
    const row = this.layout.rows[this.sequence.selected];
    this.overview.show(this.state.filters.range, row ? row.time : null);
    if (!byId("detail").hidden) this.openDetail(row !== undefined);
  }

  openDetail(open) {
    const row = this.layout.rows[this.sequence.selected];
    byId("detail").hidden = !open || !row;
    if (byId("detail").hidden) return;
    document.body.classList.remove("no-side");
    const close = h("button", { class: "close", "aria-label": "close", onclick: () => this.escape() }, "✕");
    byId("detail").replaceChildren(close, ...detail(this.model, row, this.act).flat());
  }

  escape() {
    if (!byId("detail").hidden) this.openDetail(false);
    else this.select(-1);
    byId("rows").focus();
  }

  readUrl() {
    if (location.hash.replace(/^#/, "") === this.written) return;
    const { view, anchor, filters } = readHash(location.hash, this.model);
    Object.assign(this.state, { view, anchor, filters });
    this.apply();
    if (anchor) this.goto(anchor);
  }

  writeUrl() {
    const hash = writeHash(this.state);
    if (hash === this.written) return;
    this.written = hash;
    try {
      history.replaceState(null, "", hash ? `#${hash}` : location.pathname);
    } catch {
      location.hash = hash;
    }
  }
}

{
  const theme = storedTheme();
  if (theme === "dark" || theme === "light") setTheme(theme);
  window.report = new App(byId("events").textContent, document.title);
  document.documentElement.dataset.ready = "true";
}
