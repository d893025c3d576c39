// Filters, and the hash of the URL, which holds them and the selected row:
// `#p42&node=client,server&proto=TCP&flow=…&fault=3&hide=output&text=SYN&time=0.1-0.5&view=table`.

const KINDS = ["packet", "step", "output", "log", "fault", "link", "network", "other"];

function noFilters() {
  return { nodes: new Set(), protocols: new Set(), flow: null, fault: null, hidden: new Set(), text: "", range: null };
}

/** The hash as state. What it does not understand is left out. */
function readHash(hash, model) {
  const state = { anchor: null, view: "lanes", filters: noFilters() };
  const list = (value) => value.split(",").map(decode).filter(Boolean);
  for (const part of hash.replace(/^#/, "").split("&").filter(Boolean)) {
    const [name, value] = part.includes("=") ? [part.slice(0, part.indexOf("=")), part.slice(part.indexOf("=") + 1)] : [part, null];
    if (value === null && /^[pe]\d+$/.test(name)) state.anchor = name;
    if (value === null) continue;
    const { filters } = state;
    if (name === "node") list(value).filter((name) => nodeNames(model).has(name)).forEach((name) => filters.nodes.add(name));
    if (name === "proto") list(value).filter((name) => model.protocols.has(name)).forEach((name) => filters.protocols.add(name));
    if (name === "hide") list(value).filter((kind) => KINDS.includes(kind)).forEach((kind) => filters.hidden.add(kind));
    if (name === "flow" && model.flows.has(decode(value))) filters.flow = decode(value);
    if (name === "fault" && model.faults.has(Number(value))) filters.fault = Number(value);
    if (name === "text") filters.text = decode(value);
    if (name === "view" && value === "table") state.view = "table";
    const range = name === "time" ? /^(-?[\d.]+)-(-?[\d.]+)$/.exec(value) : null;
    if (range && Number(range[1]) < Number(range[2])) filters.range = [Number(range[1]), Number(range[2])];
  }
  return state;
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function writeHash({ anchor, view, filters }) {
  const list = (values) => [...values].map(encodeURIComponent).join(",");
  const parts = [anchor];
  if (filters.nodes.size) parts.push(`node=${list(filters.nodes)}`);
  if (filters.protocols.size) parts.push(`proto=${list(filters.protocols)}`);
  if (filters.flow) parts.push(`flow=${encodeURIComponent(filters.flow)}`);
  if (filters.fault !== null) parts.push(`fault=${filters.fault}`);
  if (filters.hidden.size) parts.push(`hide=${list(filters.hidden)}`);
  if (filters.text) parts.push(`text=${encodeURIComponent(filters.text)}`);
  if (filters.range) parts.push(`time=${filters.range.map((time) => time.toFixed(6)).join("-")}`);
  if (view === "table") parts.push("view=table");
  return parts.filter(Boolean).join("&");
}

function nodeNames(model) {
  return new Set([...model.nodes.values()].map((node) => node.name));
}

function anyFilter({ nodes, protocols, flow, fault, hidden, text, range }) {
  return nodes.size + protocols.size + hidden.size > 0 || flow !== null || fault !== null || text !== "" || range !== null;
}

/** A function that tells whether an item is shown. A packet and its receptions are shown
 * together, so that an arrow has both ends. */
function matcher(model, filters) {
  const words = filters.text.toLowerCase().split(/\s+/).filter(Boolean);
  const inRange = (time) => filters.range === null || (time >= filters.range[0] && time <= filters.range[1]);
  const packet = memo((transmission) => {
    const records = [transmission.send, ...transmission.receives].filter(Boolean);
    const { first } = transmission;
    if (filters.hidden.has("packet")) return false;
    if (filters.protocols.size && !filters.protocols.has(first.protocol)) return false;
    if (filters.flow !== null && first.flow !== filters.flow) return false;
    if (filters.fault !== null && !transmission.fates.some((fate) => fate.fault === filters.fault)) return false;
    if (!records.some((record) => inRange(record.time))) return false;
    if (filters.nodes.size && !nodesOf(transmission).some((id) => filters.nodes.has(nodeName(model, id)))) return false;
    return matchesText(words, () => packetText(model, transmission));
  });
  return (item) => {
    if (item.transmission) return packet(item.transmission);
    if (item.type === "ended") return inRange(item.time);
    const kind = KINDS.includes(item.type) ? item.type : "other";
    if (filters.hidden.has(kind) || !inRange(item.time)) return false;
    if (filters.flow !== null && kind !== "fault" && kind !== "link") return false;
    if (filters.fault !== null && item.event.fault !== filters.fault) return false;
    const node = item.event.node ?? null;
    const name = node === null ? null : nodeName(model, node);
    if (filters.nodes.size && name !== null && !item.events && !filters.nodes.has(name)) return false;
    return matchesText(words, () => itemText(model, item));
  };
}

function memo(compute) {
  const known = new Map();
  return (key) => {
    if (!known.has(key)) known.set(key, compute(key));
    return known.get(key);
  };
}

/** The nodes at the ends of an arrow. */
function nodesOf({ send, receives, target }) {
  const nodes = [send?.node, target, ...receives.map((record) => record.node)];
  return nodes.filter((node) => node !== null && node !== undefined);
}

function matchesText(words, text) {
  if (words.length === 0) return true;
  const found = text().toLowerCase();
  return words.every((word) => found.includes(word));
}

function packetText(model, transmission) {
  const { first, fates } = transmission;
  const faults = fates.map((fate) => `${fate.effect} ${model.faults.get(fate.fault)?.text ?? ""}`);
  const names = nodesOf(transmission).map((node) => nodeName(model, node));
  const state = [first.again && "retransmission", isLost(transmission) && "not received"].filter(Boolean);
  return [first.summary, first.info, first.protocol, ...names, ...faults, ...state].join(" ");
}

function itemText(model, item) {
  const fault = model.faults.get(item.event.fault);
  const parts = (item.events ?? [item.event]).map((event) => Object.values(event).join(" "));
  return [item.type, ...parts, fault?.text ?? "", describeItem(model, item)].join(" ");
}

/** Sent, recorded nowhere as received, and no fault says that it dropped it. */
function isLost({ send, receives, fates }) {
  return send !== null && receives.length === 0 && !fates.some((fate) => ["dropped", "answered"].includes(fate.effect));
}
