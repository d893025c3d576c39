// From items and filters to rows, lanes, arrows and bands.
//
// A packet and its reception share a row if moving the reception up to the row of the packet
// passes no other event of the receiving node. So what a node received before it sent stays
// above what it sent, and a horizontal arrow hides no order that matters.

const CHUNK = 32;
/** More lanes would put the texts out of sight. */
const MOST_LANES = 24;

function layOut(model, filters) {
  const layout = {
    rows: [], arrows: [], lanes: [], bands: [], downs: [], rowOf: new Map(),
    hidden: { packets: 0, others: 0 }, shown: { packets: 0 }, chunks: [], idle: [],
  };
  for (const transmission of model.transmissions) transmission.row = undefined;
  const matches = matcher(model, filters);
  const pauses = Math.max(0.02, (model.to - model.from) / 25);
  const lastOf = new Map();
  let last = null;
  for (const item of model.items) {
    const { transmission, event } = item;
    if (!matches(item)) {
      layout.hidden[transmission ? "packets" : "others"] += 1;
      continue;
    }
    if (transmission) layout.shown.packets += 1;
    if (transmission && event.received && joins(transmission, event, last, lastOf, layout)) {
      addArrow(layout, transmission, event, transmission.row, transmission.row);
      layout.rowOf.set(item.anchor, transmission.row);
      lastOf.set(event.node, transmission.row);
      last.time = Math.max(last.time, event.time);
      continue;
    }
    if (last && item.time - last.time >= pauses) {
      layout.rows.push({ type: "gap", time: (last.time + item.time) / 2, length: item.time - last.time });
    }
    const row = layout.rows.length;
    const since = last ? item.time - layout.rows[last.row].time : null;
    layout.rows.push({ ...item, index: row, since });
    layout.rowOf.set(item.anchor, row);
    if (transmission) placePacket(layout, transmission, event, row);
    const node = transmission ? event.node : nodeOf(event);
    if (node !== null) lastOf.set(node, row);
    last = { time: item.time, row };
  }
  chooseLanes(model, layout);
  placeBands(model, layout);
  for (const arrow of layout.arrows) {
    const [from, to] = [Math.floor(arrow.row0 / CHUNK), Math.floor(arrow.row1 / CHUNK)];
    for (let chunk = from; chunk <= to; chunk += 1) (layout.chunks[chunk] ??= []).push(arrow);
  }
  return layout;
}

/** Whether the reception shares the row of its packet. */
function joins({ send, row, fates }, receive, last, lastOf, layout) {
  if (!send || row === undefined || layout.rows[row]?.transmission?.send !== send) return false;
  if (fates.some((fate) => fate.effect === "delayed")) return false;
  if ((lastOf.get(receive.node) ?? -1) >= row && receive.node !== send.node) return false;
  return receive.time - send.time < 0.001 || (last.row === row && receive.time - last.time < 0.02);
}

function placePacket(layout, transmission, record, row) {
  if (!record.received) {
    transmission.row = row;
    if (transmission.receives.length === 0) addArrow(layout, transmission, null, row, row);
  } else {
    addArrow(layout, transmission, record, transmission.send ? transmission.row : row, row);
  }
}

function addArrow(layout, transmission, receive, row0, row1) {
  layout.arrows.push({ transmission, receive, row0: row0 ?? row1, row1 });
}

/** The node that a step or a line of a log belongs to. */
function nodeOf(event) {
  return event.node ?? null;
}

/** Nodes that exchange many packets stand beside each other. Nodes without any are left out,
 * and `idle` has them. */
function chooseLanes(model, layout) {
  const weights = new Map();
  const used = new Map();
  const use = (id, packets) => {
    if (id !== null && id !== undefined) used.set(id, (used.get(id) ?? 0) + packets);
  };
  const join = (a, b, weight) => {
    const key = a < b ? `${a} ${b}` : `${b} ${a}`;
    weights.set(key, (weights.get(key) ?? 0) + weight);
  };
  for (const { transmission, receive } of layout.arrows) {
    const [from, to] = [transmission.send?.node ?? null, receive?.node ?? transmission.target];
    use(from, 1);
    use(to, 1);
    if (from !== null && to !== null && to !== undefined && from !== to) join(from, to, receive ? 4 : 3);
  }
  for (const row of layout.rows) {
    if (row.type === "step" || row.type === "log") use(nodeOf(row.event), 0);
  }
  if (used.size === 0) [...model.nodes.keys()].slice(0, 12).forEach((id) => use(id, 0));
  for (const network of model.networks.values()) {
    const nodes = network.ends.map((id) => model.ends.get(id)?.node).filter((id) => used.has(id));
    if (nodes.length === 2 && nodes[0] !== nodes[1]) join(nodes[0], nodes[1], 1);
  }
  const busiest = [...used.keys()].sort((a, b) => used.get(b) - used.get(a) || a - b).slice(0, MOST_LANES);
  const order = shortestOrder(busiest.sort((a, b) => a - b), weights);
  layout.crowded = used.size - busiest.length;
  layout.lanes = order.map((id) => ({ id, name: nodeName(model, id), node: model.nodes.get(id) ?? null }));
  layout.idle = [...model.nodes.values()].filter((node) => !used.has(node.id) && !node.removed);
}

/** An order with short arrows: improved by moving one node at a time, until none helps. */
function shortestOrder(nodes, weights) {
  const kept = new Set(nodes);
  const pairs = [...weights].map(([key, weight]) => [...key.split(" ").map(Number), weight]).filter(([a, b]) => kept.has(a) && kept.has(b));
  const cost = (order) => {
    const place = new Map(order.map((id, index) => [id, index]));
    return pairs.reduce((sum, [a, b, weight]) => sum + weight * Math.abs(place.get(a) - place.get(b)), 0);
  };
  let [best, least] = [nodes, cost(nodes)];
  for (let improved = true; improved; ) {
    improved = false;
    for (const id of nodes) {
      const rest = best.filter((other) => other !== id);
      for (let at = 0; at <= rest.length; at += 1) {
        const order = [...rest.slice(0, at), id, ...rest.slice(at)];
        const length = cost(order);
        if (length < least) [best, least, improved] = [order, length, true];
      }
    }
  }
  return best;
}

/** Where faults were in force and links were down, in rows. */
function placeBands(model, layout) {
  const { rows } = layout;
  const rowAt = (time) => firstAt(rows, time);
  const afterRow = (time) => Math.max(rowAt(time) + 1, firstAt(rows, time + 1e-9));
  const faults = [...model.faults.values()].sort((a, b) => a.injected - b.injected);
  const lives = faults.map((fault) => [rowAt(fault.injected), afterRow(fault.ended ?? model.to)]);
  const places = columns(lives);
  layout.bands = faults.map((fault, index) => ({
    fault, column: places[index], row0: lives[index][0], row1: lives[index][1],
    spans: fault.spans.map(([from, to]) => [rowAt(from), afterRow(to)]),
  }));
  layout.bandColumns = Math.max(0, ...places.map((column) => column + 1));
  for (const end of model.ends.values()) {
    for (const [from, to] of end.down) layout.downs.push({ end, row0: rowAt(from), row1: afterRow(to) });
  }
}
