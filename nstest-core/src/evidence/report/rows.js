// The text of a row: of packets, with what was done to them, and of everything else.

const TITLES = {
  step: "step", output: "output", log: "log", note: "note", ended: "end", link: "link", fault: "fault",
  network: "network", state: "sockets", other: "event",
};

/** What happened, in one line. */
function describeItem(model, item) {
  const { event } = item;
  const fault = model.faults.get(event.fault);
  switch (event.event) {
    case "step": return event.text;
    case "output": return plain(event.line);
    case "note": return event.text;
    case "ended": return `${event.passed ? "passed" : "failed"}: ${firstLine(event.verdict)}`;
    case "link": return `${endName(model, event.link_end)} is ${event.up ? "up" : "down"}`;
    case "fault-injected": case "fault-switched": case "fault-ended": case "fault-unmatched":
      return `${event.fault} ${item.folded.map(faultVerb).join(", ")}: ${fault?.text ?? "unknown"}`;
    case "log": return logText(event);
    case "waited-for-processor": return lateText(event);
  }
  if (item.type === "network") return networkText(model, item.events);
  if (item.type === "state") {
    const kinds = ["socket", "thread"].map((kind) => [item.events.filter((e) => e.event === kind).length, kind]);
    const parts = kinds.filter(([number]) => number).map(([number, kind]) => count(number, kind));
    return `${parts.join(" and ")} when the test ended: see “At the end”`;
  }
  return `${event.event} ${fieldsText(event)}`;
}

/** Without the escapes of colours and cursors (ECMA-48). */
function plain(text) {
  return text.replace(/\u001b\[[0-9;?]*[@-~]/g, "");
}

function firstLine(text) {
  return text.split("\n").find((line) => line.trim()) ?? "";
}

function faultVerb(event) {
  if (event.event === "fault-switched") return event.on ? "in force" : "suspended";
  if (event.event === "fault-unmatched") return "affected no packet";
  return event.event === "fault-ended" ? "ended" : "injected";
}

function fieldsText(event) {
  const known = ["time", "event", "index"];
  const fields = Object.entries(event).filter(([name, value]) => !known.includes(name) && value !== null);
  return fields.map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`).join(", ");
}

function lateText({ waited, of }) {
  return `waited ${duration(waited / 1e9)} of ${duration(of / 1e9)} for a processor`;
}

function logText({ level, target, text, message, ...rest }) {
  const head = [level, target && `${target}:`].filter(Boolean).join(" ");
  const said = text ?? message ?? fieldsText(rest);
  return `${head} ${said}`.trim();
}

function networkText(model, events) {
  const texts = events.map((event) => changeText(model, event)).filter(Boolean);
  if (texts.length <= 3) return texts.join("; ");
  const kinds = [["node-added", "node"], ["interface-added", "interface"], ["network", "network"]];
  const added = kinds.map(([kind, noun]) => [new Set(events.filter((e) => e.event === kind).map((e) => e[FIELD[kind]])).size, noun]);
  const removed = events.filter((event) => event.event.endsWith("-removed")).length;
  const parts = added.filter(([number]) => number).map(([number, noun]) => count(number, noun));
  if (removed) parts.push(`${removed} removed`);
  return parts.length ? parts.join(", ") : count(events.length, "change");
}

const FIELD = { "node-added": "node", "interface-added": "link_end", network: "network" };

function changeText(model, event) {
  switch (event.event) {
    case "node-added": return `node ${event.name} added`;
    case "node-removed": return `node ${nodeName(model, event.node)} removed`;
    case "interface-added": return `${endName(model, event.link_end)} added`;
    case "interface-removed": return `${endName(model, event.link_end)} removed`;
    case "address-added": return `${nodeName(model, event.node)}/${event.interface} got ${event.address}`;
    case "address-removed": return `${nodeName(model, event.node)}/${event.interface} lost ${event.address}`;
    case "network": return `${event.title} joins ${event.link_ends.map((id) => endName(model, id)).join(", ")}`;
    case "network-removed": return `${model.networks.get(event.network)?.title ?? "network"} removed`;
  }
  return fieldsText(event);
}

/** What faults did to a packet, and which, before everything else that is to say of it. */
function causes(model, { receives, fates }) {
  return fates.filter((fate) => fate.effect !== "delayed").map((fate) => {
    const fault = model.faults.get(fate.fault);
    const title = fault ? `${fate.effect} by fault ${fate.fault}: ${fault.text}` : fate.effect;
    const text = fate.effect === "dropped" && receives.length === 0 ? `✕ ${fate.effect}` : fate.effect;
    const { tone } = EFFECTS[fate.effect] ?? { tone: "odd" };
    const cause = fault ? h("span", { class: `cause ${tone}` }, `by ${fault.text}`) : null;
    return [h("span", { class: `pill ${tone}`, title }, text), cause];
  });
}

/** The other marks of a packet: late, missing, repeated. */
function marks(model, transmission) {
  const { send, first, fates } = transmission;
  const pill = (tone, text, title) => h("span", { class: `pill ${tone}`, title }, text);
  const made = fates.filter((fate) => fate.effect === "delayed").map((fate) => pill("late", effectText(fate), model.faults.get(fate.fault)?.text));
  if (isLost(transmission)) {
    made.push(pill("lost", "not received", "No node received it: there is no such receiver, a link was down, or the record ends."));
  }
  if (!send && !fates.some((fate) => ["made", "answered"].includes(fate.effect))) {
    made.push(pill("odd", "sender not recorded", "The record has no node that sent it."));
  }
  if (first.again) made.push(pill("late", "retransmission", "The same segment was sent before."));
  return made;
}

/** The cells of a row, from left to right. */
function rowCells(model, row, view, indent) {
  if (row.type === "gap") return [h("span", { class: "pause" }, h("span", null, `${duration(row.length)} without an event`))];
  const cell = (name, ...children) => h("span", { class: name, role: "gridcell" }, ...children);
  const since = row.since !== null && row.since >= 1e-6 ? `+${duration(row.since)}` : "";
  const cells = [cell("time", clock(row.time)), cell("since", since)];
  if (!row.transmission) {
    const marks = { step: "▸", output: "›", note: "!", ended: row.event.passed ? "✓" : "✕" };
    const kind = h("span", { class: "kind" }, marks[row.type] ? `${marks[row.type]} ` : "", TITLES[row.type] ?? row.type);
    // Beside its lane, if it has one.
    const style = indent > 0 ? `padding-left:${indent}px` : null;
    cells.push(h("span", { class: "whole", role: "gridcell", style }, h("span", { class: "backed" }, kind, h("span", { class: "said" }, describeItem(model, row)))));
    return cells;
  }
  const { transmission, event } = row;
  const { send, first } = transmission;
  const follows = event.received && send;
  if (view === "table") {
    cells.push(cell("where", send ? endName(model, send.link_end) : "—"));
    cells.push(cell("where", receiverText(model, transmission, event)));
    cells.push(cell("length", bytes(event.length)));
  }
  cells.push(cell("number", String(event.packet)));
  const addresses = first.source ? `${first.source} → ${first.destination}` : "";
  const info = follows
    ? [h("span", { class: "quiet" }, `received #${send.packet} after ${duration(event.time - send.time)}`)]
    : [...causes(model, transmission), h("span", { class: "info" }, first.info), "  ", ...marks(model, transmission),
      h("span", { class: "addresses" }, addresses)];
  cells.push(cell("summary", h("span", { class: `protocol ${hue(first.protocol)}` }, first.protocol), ...info));
  return cells;
}

function receiverText(model, { send, receives }, event) {
  if (event.received && send) return endName(model, event.link_end);
  return receives.length ? receives.map((record) => endName(model, record.link_end)).join(", ") : "—";
}

/** The colour of a protocol's arrows. */
function hue(protocol) {
  if (/^TCP/i.test(protocol)) return "tcp";
  if (/^(UDP|DNS|QUIC|mDNS)/i.test(protocol)) return "udp";
  return /^ICMP/i.test(protocol) ? "icmp" : "rest";
}
