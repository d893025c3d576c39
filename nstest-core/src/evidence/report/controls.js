// The bar with filters, and what the keyboard does.

const MOST_FLOWS = 200;

function fillControls(model, app) {
  const toggles = (id, names, has, flip) => {
    byId(id).replaceChildren(...names.map(([name, text]) => h("button", { class: "chip", "data-name": name, onclick: () => app.filter(flip(name)) }, text)));
    app.chips.push(() => byId(id).childNodes.forEach((chip) => chip.setAttribute("aria-pressed", String(has(chip.dataset.name)))));
  };
  const flip = (set, name) => {
    const changed = new Set(set);
    if (!changed.delete(name)) changed.add(name);
    return changed;
  };
  const { state } = app;
  const names = [...nodeNames(model)];
  const busy = names.length > 16 ? new Set(app.full.lanes.map((lane) => lane.name)) : null;
  const shown = names.filter((name) => !busy || busy.has(name)).slice(0, 16);
  toggles("filter-nodes", shown.map((name) => [name, name]), (name) => state.filters.nodes.has(name), (name) => ({ nodes: flip(state.filters.nodes, name) }));
  const protocols = [...model.protocols].sort((a, b) => b[1] - a[1]).map(([name]) => [name, name]);
  toggles("filter-protocols", protocols, (name) => state.filters.protocols.has(name), (name) => ({ protocols: flip(state.filters.protocols, name) }));
  const types = new Set(model.items.map((item) => (KINDS.includes(item.type) ? item.type : "other")));
  const kinds = KINDS.filter((kind) => types.has(kind)).map((kind) => [kind, KIND_NAMES[kind]]);
  toggles("filter-kinds", kinds, (name) => !state.filters.hidden.has(name), (name) => ({ hidden: flip(state.filters.hidden, name) }));
  const flows = [...model.flows.values()].sort((a, b) => b.packets - a.packets);
  const options = flows.slice(0, MOST_FLOWS).map((flow) => h("option", { value: flow.key }, `${flow.key.replace(" ~ ", " ↔ ")} (${flow.packets})`));
  if (flows.length > MOST_FLOWS) options.push(h("option", { disabled: true }, `${flows.length - MOST_FLOWS} more flows: use the text filter`));
  byId("filter-flow").append(...options);
  byId("filter-flow").addEventListener("change", (event) => app.filter({ flow: event.target.value || null }));
  let typing = 0;
  byId("filter-text").addEventListener("input", (event) => {
    clearTimeout(typing);
    typing = setTimeout(() => app.filter({ text: event.target.value }), 120);
  });
  byId("clear").addEventListener("click", () => app.clear());
  byId("view").addEventListener("click", () => app.toggleView());
  byId("theme").addEventListener("click", toggleTheme);
  byId("help-button").addEventListener("click", () => byId("help").showModal());
  byId("help-close").addEventListener("click", () => byId("help").close());
}

const KIND_NAMES = {
  packet: "packets", step: "steps", output: "output", log: "log", fault: "faults", link: "links", network: "network", other: "other",
};

function showControls(app) {
  const { filters } = app.state;
  app.chips.forEach((update) => update());
  byId("filter-flow").value = filters.flow ?? "";
  if (document.activeElement !== byId("filter-text")) byId("filter-text").value = filters.text;
  byId("clear").hidden = !anyFilter(filters);
  byId("view").textContent = app.state.view === "table" ? "diagram" : "table";
  const { hidden, shown, idle, crowded } = app.layout;
  const parts = [`${count(shown.packets, "packet record")} shown`];
  if (hidden.packets) parts.push(`${count(hidden.packets, "packet record")} not shown by filters`);
  if (hidden.others) parts.push(`${count(hidden.others, "other row")} not shown by filters`);
  if (filters.fault !== null) parts.push(`only packets of fault ${filters.fault}`);
  if (filters.range) parts.push(`only ${clock(filters.range[0])} to ${clock(filters.range[1])} s`);
  if (idle.length) parts.push(`${count(idle.length, "node")} without packets ${idle.length === 1 ? "has" : "have"} no lane`);
  if (crowded) parts.push(`${count(crowded, "node")} with few packets ${crowded === 1 ? "has" : "have"} no lane: filter by text`);
  if (app.layout.rows.length > MOST_ROWS) parts.push(`only the first ${GROUPED.format(MOST_ROWS)} rows: select a range of time`);
  byId("status").textContent = parts.join(" · ");
}

function storedTheme() {
  try {
    return localStorage.getItem("nstest-theme");
  } catch {
    return null;
  }
}

function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("nstest-theme", theme);
  } catch {
    // Pages from files have no storage in some browsers.
  }
}

function toggleTheme() {
  const now = document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  setTheme(now === "dark" ? "light" : "dark");
}

function onKey(app, event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches("input, select, textarea");
  if (event.key === "Escape") {
    if (byId("help").open) byId("help").close();
    else if (typing) byId("rows").focus();
    else app.escape();
    return;
  }
  const onButton = event.target.matches("button, summary, [role=slider]") && ["Enter", " ", "ArrowUp", "ArrowDown", "Home", "End"].includes(event.key);
  if (typing || onButton || byId("help").open) {
    if (typing && event.target.id === "filter-text" && ["Enter", "ArrowDown"].includes(event.key)) byId("rows").focus();
    return;
  }
  const action = keyActions(app)[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

function keyActions(app) {
  const page = app.sequence.pageRows;
  const end = app.layout.rows.length;
  return {
    j: () => app.move(1), ArrowDown: () => app.move(1), k: () => app.move(-1), ArrowUp: () => app.move(-1),
    PageDown: () => app.move(page), PageUp: () => app.move(-page),
    g: () => app.move(-end), Home: () => app.move(-end), G: () => app.move(end), End: () => app.move(end),
    n: () => app.jump(1), N: () => app.jump(-1),
    Enter: () => app.openDetail(true), "/": () => byId("filter-text").focus(), "?": () => byId("help").showModal(),
    "[": () => app.limit(0), "]": () => app.limit(1), x: () => app.filter({ range: null }), c: () => app.clear(),
    f: () => app.filterSelectedFlow(), v: () => app.toggleView(), t: toggleTheme, s: () => document.body.classList.toggle("no-side"),
  };
}
