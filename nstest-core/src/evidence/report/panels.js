// Everything beside the sequence: the header, the selected row, the network, faults, sockets
// and threads at the end, and the strip of an exploration.

function fillHeader(model, title) {
  const { started, ended } = model;
  const failed = ended ? !ended.passed : true;
  const verdict = byId("verdict");
  verdict.textContent = ended ? (failed ? "✕ failed" : "✓ passed") : "? no verdict";
  verdict.className = ended ? (failed ? "failed" : "passed") : "failed";
  byId("test").textContent = started?.test ?? title;
  byId("binary").textContent = started?.binary ?? "";
  const reason = byId("reason");
  reason.textContent = ended?.verdict?.trim() || "The record has no end: the test's end was not recorded.";
  const long = reason.textContent.split("\n").length > 4 || reason.textContent.length > 480;
  byId("more-reason").hidden = !long;
  byId("more-reason").addEventListener("click", (event) => {
    const open = reason.classList.toggle("open");
    event.target.textContent = open ? "show less" : "show all";
    event.target.setAttribute("aria-expanded", String(open));
  });
  const fact = (name, value) => value && h("span", { class: "fact" }, h("span", { class: "quiet" }, name), " ", value);
  const date = started ? new Date(Number(BigInt(started.unix_time || 0) / 1000000n)) : null;
  byId("facts").replaceChildren(...[
    fact("took", duration(model.to)), fact("seed", started?.seed), fact("plan", started?.plan),
    fact("commit", started?.commit?.slice(0, 12)), fact("started", date && `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`),
  ].filter(Boolean));
  byId("rerun").textContent = started?.rerun ?? "";
  byId("rerun-line").hidden = !started?.rerun;
  byId("copy").addEventListener("click", () => copy(started.rerun, byId("copy")));
  const notes = model.notes.map((note) => note.text);
  const late = model.events.find((event) => event.event === "waited-for-processor" && event.waited > event.of / 10);
  if (late) notes.push(`The machine was busy: the test ${lateText(late)}.`);
  if (model.unreadable) notes.push(`${count(model.unreadable, "line")} of the record could not be read.`);
  if (started && started.version !== 1) notes.push(`The record has version ${started.version}; this page reads version 1.`);
  byId("notes").hidden = notes.length === 0;
  byId("notes").replaceChildren(...notes.slice(0, 20).map((text) => h("li", null, text)));
  if (notes.length > 20) byId("notes").append(h("li", null, `${count(notes.length - 20, "more note")} in the sequence below`));
}

/** Pages from files have no clipboard in some browsers: then the text is selected. */
function copy(text, button) {
  const done = () => {
    button.textContent = "copied";
    setTimeout(() => (button.textContent = "copy"), 1500);
  };
  const select = () => getSelection().selectAllChildren(byId("rerun"));
  if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, select);
  else select();
}

/** A section at the side; it is left out if it is empty. */
function section(id, title, content) {
  const element = byId(id);
  element.hidden = content === null;
  if (content !== null) element.replaceChildren(h("summary", null, title), content);
}

function fillSide(model, layout, act) {
  const { drawing, left } = drawTopology(model, layout.lanes);
  const legend = h("p", { class: "quiet" },
    "As it was at the end. ", left ? `${count(left, "node")} of ${model.nodes.size} are left out. ` : "",
    [...model.ends.values()].some((end) => !end.up) ? "A cross: the link is down. " : "",
    [...model.faults.values()].some((fault) => fault.on) ? "A number: this fault is in force." : "");
  section("network", "Network", model.nodes.size ? h("div", { class: "drawn" }, drawing, legend) : null);
  section("faults", `Faults (${model.faults.size})`, model.faults.size ? faultList(model, act) : null);
  const ended = model.sockets.length + model.threads.length > 0;
  section("at-end", "At the end", ended ? h("div", null, socketList(model), threadList(model)) : null);
}

function faultList(model, act) {
  return h("ul", { class: "faults" }, [...model.faults.values()].map((fault) => {
    const effects = [...fault.effects].map(([effect, number]) => `${number} ${effect}`).join(", ") || "affected no recorded packet";
    const state = fault.on ? "in force at the end" : `ended at ${clock(fault.ended ?? fault.spans.at(-1)?.[1] ?? model.to)} s`;
    return h("li", null,
      h("span", { class: "fault-number" }, String(fault.id)), h("code", null, fault.text),
      h("div", null, effects),
      h("div", { class: "quiet" }, `from ${clock(fault.injected)} s, ${state}; ${fault.place}`),
      h("button", { class: "link", onclick: () => act.goto(`e${fault.index}`) }, "go to its injection"),
      fault.effects.size ? h("button", { class: "link", onclick: () => act.filter({ fault: fault.id }) }, "only its packets") : null);
  }));
}

function socketList(model) {
  if (model.sockets.length === 0) return null;
  const odd = (number, text) => (number > 0 ? h("span", { class: "pill late" }, text) : null);
  const sockets = [...model.sockets].sort((a, b) => a.node - b.node);
  const items = sockets.slice(0, MOST_SOCKETS).map((socket) => {
    const stuck = /syn-sent|syn-recv|close-wait|fin-wait/.test(socket.state);
    const remote = socket.remote && !/\*$|:0$/.test(socket.remote) ? ` → ${socket.remote}` : "";
    const isUdp = socket.protocol === "udp"; // their numbers are memory of the kernel
    return h("li", null,
      h("b", null, nodeName(model, socket.node)), ` ${socket.protocol} `, h("span", { class: stuck ? "pill late" : "quiet" }, socket.state),
      h("div", null, h("code", null, `${socket.local}${remote}`)),
      h("div", null, odd(socket.unread, isUdp ? "unread data" : `${bytes(socket.unread)} unread`),
        odd(socket.unacknowledged, isUdp ? "unsent data" : `${bytes(socket.unacknowledged)} unacknowledged`),
        odd(socket.unsent, `${bytes(socket.unsent)} of them unsent`),
        odd(socket.total_retransmissions ?? socket.retransmissions, count(socket.total_retransmissions ?? socket.retransmissions, "retransmission")), odd(socket.waiting, `${socket.waiting} not accepted`),
        socket.process ? h("span", { class: "quiet" }, socket.process) : null));
  });
  if (sockets.length > MOST_SOCKETS) items.push(h("li", { class: "quiet" }, `${count(sockets.length - MOST_SOCKETS, "more socket")} in events.jsonl`));
  return [h("h3", null, `Sockets (${sockets.length})`), h("ul", { class: "plain" }, items)];
}

const MOST_SOCKETS = 300;

function threadList(model) {
  if (model.threads.length === 0) return null;
  const items = model.threads.slice(0, MOST_SOCKETS).map((thread) =>
    h("li", null, h("b", null, thread.thread), thread.node === null ? "" : ` in ${nodeName(model, thread.node)}`,
      h("div", null, "waits in ", h("code", null, thread.waits_in), thread.waits_for ? [" for ", h("code", null, thread.waits_for)] : "")));
  return [h("h3", null, `Threads (${model.threads.length})`), h("ul", { class: "plain" }, items)];
}

/** Everything that is known of a row. */
function detail(model, row, act) {
  const pair = (name, value) => (value === null || value === undefined || value === "" ? [] : [h("dt", null, name), h("dd", null, value)]);
  if (!row.transmission) {
    const events = row.events ?? [row.event];
    const lines = events.slice(0, 200).map((event) => (TOPOLOGY.has(event.event) ? changeText(model, event) : fieldsText(event)));
    if (events.length > 200) lines.push(`… and ${count(events.length - 200, "more event")}`);
    const said = row.type === "ended" ? row.event.verdict : row.events ? lines.join("\n") : describeItem(model, row);
    const rest = row.events || row.type === "ended" || row.type === "output" ? null : fieldsText(row.event);
    return [h("h2", null, TITLES[row.type] ?? row.event.event), h("pre", null, said),
      h("dl", null, pair("time", `${clock(row.time)} s`), pair("fields", rest))];
  }
  const { transmission, event } = row;
  const { send, receives, first, fates } = transmission;
  const at = (record) => `${clock(record.time)} s, ${endName(model, record.link_end)}, #${record.packet}`;
  const received = receives.map((record) => h("div", null, at(record), send ? `, after ${duration(record.time - send.time)}` : ""));
  const fateOf = (fate) => {
    const fault = model.faults.get(fate.fault);
    return h("div", null, h("span", { class: `pill ${EFFECTS[fate.effect]?.tone ?? "odd"}` }, effectText(fate)), " ",
      fault ? h("button", { class: "link", onclick: () => act.goto(`e${fault.index}`) }, fault.text) : "", fault ? h("div", { class: "quiet" }, fault.place) : "");
  };
  const flow = first.flow ? [...model.packets.values()].filter((record) => record.flow === first.flow && !record.received) : [];
  const place = flow.indexOf(send);
  const step = (record, text) => (record ? h("button", { onclick: () => act.goto(`p${record.packet}`) }, text) : null);
  return [
    h("h2", null, `#${event.packet} `, h("span", { class: `protocol ${hue(first.protocol)}` }, first.protocol), ` ${first.label}`),
    h("dl", null,
      pair("sent", send ? at(send) : "its sender is not in the record"),
      pair("received", received.length ? received : h("span", { class: "bad-text" }, "by no node")),
      pair("faults", fates.length ? fates.map(fateOf) : null),
      pair("source", first.source), pair("destination", first.destination), pair("length", bytes(first.length)),
      pair("decoded", h("code", null, first.summary)), pair("relative", /seq/.test(first.info) ? h("code", null, first.info) : null)),
    h("div", { class: "buttons" },
      place > 0 ? step(flow[place - 1], "previous of this flow") : null, place >= 0 ? step(flow[place + 1], "next of this flow") : null,
      first.flow ? h("button", { onclick: () => act.filter({ flow: first.flow }) }, `only this flow (${flow.length})`) : null),
  ];
}

const OUTCOMES = {
  passed: { mark: "✓", tone: "passed", text: "passed" },
  failed: { mark: "✕", tone: "failed", text: "failed" },
  "not-reached": { mark: "·", tone: "unreached", text: "not reached" },
};

/** Each point at which faults were injected is a column, each fault a row. */
function explorationStrip(model, act) {
  const points = [...new Map(model.points.map((event) => [event.point, event])).values()];
  const faults = [...new Set(model.points.map((event) => event.fault))];
  const cells = new Map(model.points.map((event) => [`${event.fault}\n${event.point}`, event]));
  const total = (outcome) => model.points.filter((event) => event.outcome === outcome).length;
  const cell = (fault, point) => {
    const event = cells.get(`${fault}\n${point.point}`);
    if (!event) return h("td");
    const { mark, tone, text } = OUTCOMES[event.outcome] ?? { mark: "?", tone: "unreached", text: event.outcome };
    const title = `${fault} at ${point.point}: ${text}`;
    const go = event.packet === null ? null : () => act.goto(`p${event.packet}`);
    return h("td", { class: tone }, h("button", { title, "aria-label": title, onclick: go, disabled: go === null }, mark));
  };
  const heads = points.map((point, index) => {
    const text = point.packet === null ? `${index + 1}` : `#${point.packet}`;
    return h("th", { scope: "col", title: point.point }, h("span", null, text));
  });
  const legend = Object.entries(OUTCOMES).map(([outcome, { mark, tone, text }]) => [h("span", { class: `key ${tone}` }, mark), ` ${total(outcome)} ${text}  `]);
  return [h("h2", null, "Exploration: faults at points of the first run ", h("small", { class: "quiet" }, legend)),
    h("div", { class: "scrolls" }, h("table", { class: "strip" },
      h("thead", null, h("tr", null, h("th", { scope: "col" }, "fault"), heads)),
      h("tbody", null, faults.map((fault) => h("tr", null, h("th", { scope: "row" }, fault), points.map((point) => cell(fault, point)))))))];
}
