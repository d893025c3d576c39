// From the lines of events.jsonl to what the views show: nodes, networks, faults with their
// times, packets with their receivers, and the items of the sequence in the order of time.

/** Reads the lines. `unreadable` counts those that are not JSON. */
function readEvents(text) {
  const events = [];
  let unreadable = 0;
  text.split("\n").forEach((line, index) => {
    if (!line.trim()) return;
    try {
      const event = JSON.parse(line);
      event.index = index + 1;
      events.push(event);
    } catch {
      unreadable += 1;
    }
  });
  const first = (event) => (event.event === "started" ? 0 : 1);
  events.sort((a, b) => first(a) - first(b) || a.time - b.time || a.index - b.index);
  return { events, unreadable };
}

const TOPOLOGY = new Set([
  "node-added", "node-removed", "interface-added", "interface-removed",
  "address-added", "address-removed", "network", "network-removed",
]);
const AT_THE_END = new Set(["socket", "thread"]);
/** Events that are no rows of their own. */
const NO_ROWS = new Set(["started", "snapshot", "exploration-point"]);

function buildModel(text) {
  const { events, unreadable } = readEvents(text);
  const model = {
    events, unreadable, started: null, ended: null,
    nodes: new Map(), ends: new Map(), networks: new Map(), faults: new Map(),
    packets: new Map(), transmissions: [], flows: new Map(), protocols: new Map(),
    sockets: [], threads: [], notes: [], points: [], items: [],
    from: 0, to: 0,
  };
  for (const event of events) {
    model.from = Math.min(model.from, event.time);
    model.to = Math.max(model.to, event.time);
    (READERS[event.event] ?? (() => {}))(model, event);
  }
  for (const end of model.ends.values()) closeSpan(end.down, model.to);
  for (const fault of model.faults.values()) finishFault(fault, model.to);
  readPackets(model);
  model.items = makeItems(model);
  return model;
}

const READERS = {
  started: (model, event) => (model.started = event),
  ended: (model, event) => (model.ended = event),
  note: (model, event) => model.notes.push(event),
  socket: (model, event) => model.sockets.push(event),
  thread: (model, event) => model.threads.push(event),
  "exploration-point": (model, event) => model.points.push(event),
  "node-added": (model, { node, name }) => model.nodes.set(node, { id: node, name, ends: [], removed: false }),
  "node-removed": (model, { node }) => {
    if (model.nodes.has(node)) model.nodes.get(node).removed = true;
  },
  "interface-added": (model, { node, name, link_end, mac }) => {
    const end = { id: link_end, node, name, mac, addresses: [], up: true, removed: false, down: [], network: null };
    model.ends.set(link_end, end);
    model.nodes.get(node)?.ends.push(end);
  },
  "interface-removed": (model, { link_end }) => {
    if (model.ends.has(link_end)) model.ends.get(link_end).removed = true;
  },
  "address-added": (model, event) => endOf(model, event)?.addresses.push(event.address),
  "address-removed": (model, event) => {
    const end = endOf(model, event);
    if (end) end.addresses = end.addresses.filter((address) => address !== event.address);
  },
  network: (model, { network, title, link_ends }) => {
    model.networks.set(network, { id: network, title, ends: link_ends, removed: false });
    for (const id of link_ends) if (model.ends.has(id)) model.ends.get(id).network = network;
  },
  "network-removed": (model, { network }) => {
    if (model.networks.has(network)) model.networks.get(network).removed = true;
  },
  link: (model, { link_end, up, time }) => {
    const end = model.ends.get(link_end);
    if (!end) return;
    if (up) closeSpan(end.down, time);
    else if (end.up) end.down.push([time, null]);
    end.up = up;
  },
  "fault-injected": (model, { fault, text, place, link_ends, time, index }) =>
    model.faults.set(fault, {
      id: fault, text, place, index, ends: link_ends ?? null,
      injected: time, ended: null, switches: [], spans: [], effects: new Map(),
    }),
  "fault-switched": (model, { fault, on, time }) => model.faults.get(fault)?.switches.push({ time, on }),
  "fault-ended": (model, { fault, time }) => {
    if (model.faults.has(fault)) model.faults.get(fault).ended = time;
  },
};

function endOf(model, { node, interface: name }) {
  return model.nodes.get(node)?.ends.findLast((end) => end.name === name);
}

function closeSpan(spans, time) {
  const last = spans.at(-1);
  if (last && last[1] === null) last[1] = time;
}

/** When the fault was in force. Without a switch, from its injection to its end. */
function finishFault(fault, to) {
  let on = fault.switches.length === 0 || !fault.switches[0].on;
  let since = fault.injected;
  for (const change of fault.switches) {
    if (change.on === on) continue;
    if (on) fault.spans.push([since, change.time]);
    [on, since] = [change.on, change.time];
  }
  if (on) fault.spans.push([since, fault.ended ?? to]);
  fault.on = on && fault.ended === null;
}

/** Joins what was sent with what was received, and reads flows. */
function readPackets(model) {
  const bySend = new Map();
  const records = model.events.filter((event) => event.event === "packet");
  for (const record of records) {
    record.fates ??= [];
    record.node = model.ends.get(record.link_end)?.node ?? null;
    model.packets.set(record.packet, record);
    if (!record.received) bySend.set(record.packet, addTransmission(model, record, null));
  }
  for (const record of records.filter((record) => record.received)) {
    const sent = record.sent_as === null ? undefined : bySend.get(record.sent_as);
    if (sent) sent.receives.push(record);
    record.transmission = sent ?? addTransmission(model, null, record);
  }
  const usual = new Map();
  const way = (record) => `${record.link_end} ${host(record.destination)}`;
  for (const { send, receives } of model.transmissions) {
    if (send && receives.length) usual.set(way(send), receives[0].node);
  }
  for (const transmission of model.transmissions) {
    const { send, receives } = transmission;
    collectFates(model, transmission);
    const last = receives.at(-1)?.time ?? send.time;
    transmission.latency = send ? last - send.time : null;
    if (send && receives.length === 0) {
      transmission.target = usual.get(way(send)) ?? onlyNeighbour(model, send);
    }
  }
  describePackets(model);
}

function addTransmission(model, send, receive) {
  const receives = receive ? [receive] : [];
  const transmission = { send, receives, fates: [], target: null, latency: null, first: send ?? receive };
  if (send) send.transmission = transmission;
  model.transmissions.push(transmission);
  return transmission;
}

function collectFates(model, transmission) {
  const seen = new Map();
  for (const record of [transmission.send, ...transmission.receives]) {
    for (const fate of record?.fates ?? []) {
      const key = `${fate.effect} ${fate.fault}`;
      if (seen.has(key)) continue;
      seen.set(key, fate);
      const fault = model.faults.get(fate.fault);
      if (!fault) continue;
      fault.effects.set(fate.effect, (fault.effects.get(fate.effect) ?? 0) + 1);
    }
  }
  const rank = (fate) => EFFECTS[fate.effect]?.rank ?? 9;
  transmission.fates = [...seen.values()].sort((a, b) => rank(a) - rank(b));
}

/** The node at the other end, if there is one only, or if one there has the address. */
function onlyNeighbour(model, send) {
  const network = model.networks.get(model.ends.get(send.link_end)?.network);
  const others = (network?.ends ?? []).filter((id) => id !== send.link_end).map((id) => model.ends.get(id));
  const owner = others.find((end) => end?.addresses.some((a) => a.split("/")[0] === host(send.destination)));
  return (owner ?? (others.length === 1 ? others[0] : null))?.node ?? null;
}

/** The address of `10.0.0.1:80` or `[fd00::1]:80`. */
function host(address) {
  if (!address) return null;
  if (address.startsWith("[")) return address.slice(1, address.indexOf("]"));
  return address.split(":").length === 2 ? address.split(":")[0] : address;
}

function endName(model, id) {
  const end = model.ends.get(id);
  return end ? `${nodeName(model, end.node)}/${end.name}` : `link end ${id}`;
}

function nodeName(model, id) {
  return model.nodes.get(id)?.name ?? `node ${id}`;
}

/** What the sequence shows, in the order of time. Changes of the network that follow each
 * other without a pause are one item, and so is all that was read at the end. */
function makeItems(model) {
  const items = [];
  for (const event of model.events) {
    const kind = event.event;
    if (NO_ROWS.has(kind)) continue;
    const last = items.at(-1);
    const group = TOPOLOGY.has(kind) ? "network" : AT_THE_END.has(kind) ? "state" : null;
    if (group && last?.type === group && event.time - last.events.at(-1).time < 0.05) {
      last.events.push(event);
      continue;
    }
    if (isSameFault(last, event)) {
      last.folded.push(event);
      continue;
    }
    const item = { type: group ?? ITEM_TYPES[kind] ?? "other", time: event.time, event, anchor: `e${event.index}` };
    if (group) item.events = [event];
    if (item.type === "fault") item.folded = [event];
    if (kind === "packet") Object.assign(item, { transmission: event.transmission, anchor: `p${event.packet}` });
    items.push(item);
  }
  return items;
}

/** Faults are injected and switched on at once, and switched off and ended: one row each. */
function isSameFault(last, event) {
  return last?.type === "fault" && last.event.fault === event.fault && ITEM_TYPES[event.event] === "fault" && event.time - last.time < 0.001;
}

const ITEM_TYPES = {
  packet: "packet", step: "step", output: "output", log: "log", note: "note", ended: "ended", link: "link",
  "fault-injected": "fault", "fault-switched": "fault", "fault-ended": "fault",
  "fault-unmatched": "fault",
};
