// The network as it was at the end: a box for each node with its interfaces, and a vertical
// line for each network, which joins them.

const BOX = { left: 1, width: 208, title: 24, line: 18, pad: 6 };
const MOST_NODES = 60;

/** The drawing, and the nodes that it leaves out. */
function drawTopology(model, lanes) {
  const all = [...model.nodes.values()].filter((node) => !node.removed);
  const place = new Map(lanes.map((lane, index) => [lane.id, index]));
  all.sort((a, b) => (place.get(a.id) ?? 1e6) - (place.get(b.id) ?? 1e6) || a.id - b.id);
  const nodes = all.slice(0, MOST_NODES);
  const faulty = impairedEnds(model);
  const networks = [...model.networks.values()].filter((network) => !network.removed);
  const buses = networks.map((network) => busOf(model, network, nodes)).filter(Boolean);
  chooseGaps(buses, nodes.length);
  const marks = [];
  const rowOf = new Map();
  let y = 8;
  nodes.forEach((node, index) => {
    const ends = node.ends.filter((end) => !end.removed);
    const lines = ends.flatMap((end) => endLines(end));
    const height = BOX.title + lines.length * BOX.line + (lines.length ? BOX.pad : 0);
    marks.push(s("rect", { class: "box", x: BOX.left, y, width: BOX.width, height, rx: 5 }));
    marks.push(s("text", { class: "box-title", x: BOX.left + 12, y: y + 16 }, node.name));
    let line = y + BOX.title + 9;
    for (const end of ends) {
      rowOf.set(end.id, line);
      marks.push(...endMarks(model, end, line, faulty.get(end.id)));
      line += endLines(end).length * BOX.line;
    }
    y += height;
    buses.filter((bus) => bus.gap === index).forEach((bus, nth) => (bus.labelY = y + 14 + nth * 14));
    y += Math.max(12, buses.filter((bus) => bus.gap === index).length * 14 + 8);
  });
  const width = drawBuses(buses, rowOf, faulty, marks);
  const described = nodes.map((node) => node.name).join(", ");
  const drawing = s("svg", { class: "topology", width, height: y, viewBox: `0 0 ${width} ${y}`, role: "img", "aria-label": `Network of ${described}` }, marks);
  return { drawing, left: all.length - nodes.length };
}

function endLines(end) {
  return end.addresses.length ? end.addresses : [""];
}

function endMarks(model, end, y, faults) {
  const right = BOX.left + BOX.width;
  const name = s("text", { class: "end-name", x: BOX.left + 12, y: y + 4 }, end.name);
  const addresses = end.addresses.map((address, nth) =>
    s("text", { class: "end-address", x: BOX.left + 58, y: y + 4 + nth * BOX.line }, fit(address, 22), s("title", null, address)));
  const tone = end.up ? (faults ? "faulty" : "") : "is-down";
  const socket = s("rect", { class: `end-socket ${tone}`, x: right - 4, y: y - 4, width: 8, height: 8, rx: 2 },
    s("title", null, [`${endName(model, end.id)} ${end.mac ?? ""} is ${end.up ? "up" : "down"}`, ...(faults ?? []).map((f) => `fault ${f.id}: ${f.text}`)].join("\n")));
  return [name, ...addresses, socket];
}

function fit(text, length) {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

/** A network's line, if it joins nodes that are drawn. */
function busOf(model, network, nodes) {
  const ends = network.ends.map((id) => model.ends.get(id)).filter((end) => end && !end.removed);
  const places = ends.map((end) => nodes.findIndex((node) => node.id === end.node)).filter((place) => place >= 0);
  if (places.length === 0) return null;
  return { network, ends, first: Math.min(...places), last: Math.max(...places), places };
}

/** Each name stands in a gap between two nodes, where no other line crosses it, if it can. */
function chooseGaps(buses, nodes) {
  buses.sort((a, b) => a.last - a.first - (b.last - b.first) || a.first - b.first);
  const taken = new Array(Math.max(1, nodes)).fill(0);
  for (const bus of buses) {
    bus.gap = bus.first;
    for (let gap = bus.first; gap < bus.last; gap += 1) if (taken[gap] < taken[bus.gap]) bus.gap = gap;
    taken[bus.gap] += 1;
  }
  // Short lines stand inside, long ones outside.
  const columns = [];
  for (const bus of buses) {
    let column = columns.findIndex((spans) => spans.every(([first, last]) => last < bus.first || first > bus.last));
    if (column < 0) column = columns.push([]) - 1;
    columns[column].push([bus.first, bus.last]);
    bus.column = column;
  }
}

function drawBuses(buses, rowOf, faulty, marks) {
  const right = BOX.left + BOX.width;
  const step = 26;
  let width = right + 60;
  const labels = [];
  for (const bus of buses) {
    const x = right + 38 + bus.column * step;
    const rows = bus.ends.map((end) => rowOf.get(end.id)).filter((y) => y !== undefined);
    const bottom = Math.max(...rows, rows.length < 2 ? rows[0] + 14 : 0);
    marks.push(s("line", { class: "bus", x1: x, x2: x, y1: Math.min(...rows), y2: bottom }));
    for (const end of bus.ends) {
      const y = rowOf.get(end.id);
      if (y === undefined) continue;
      const faults = faulty.get(end.id);
      const tone = end.up ? (faults ? "faulty" : "") : "is-down";
      marks.push(s("line", { class: `wire ${tone}`, x1: right + 4, x2: x, y1: y, y2: y }), s("circle", { class: "joint", cx: x, cy: y, r: 2.5 }));
      if (!end.up) marks.push(s("path", { class: "cross", d: `M${right + 10} ${y - 4} l8 8 m-8 0 l8 -8` }));
      else if (faults) marks.push(s("text", { class: "end-fault", x: right + 8, y: y - 4 }, faults.length > 3 ? `${faults.length} f.` : faults.map((fault) => fault.id).join(",")));
    }
    const title = bus.network.title.replace(/`/g, "");
    labels.push(s("text", { class: "bus-name", x: x + 7, y: bus.labelY ?? bottom }, fit(title, 28), s("title", null, bus.network.title)));
    width = Math.max(width, x + 14 + Math.min(28, title.length) * 6.4);
  }
  marks.push(...labels);
  return Math.ceil(width);
}

/** The faults in force at the end, by link end: where an event has its link ends, those, and
 * otherwise the link ends that the fault's text names. */
function impairedEnds(model) {
  const faulty = new Map();
  const add = (end, fault) => {
    const faults = faulty.get(end) ?? [];
    if (!faults.includes(fault)) faulty.set(end, [...faults, fault]);
  };
  for (const fault of model.faults.values()) {
    if (!fault.on) continue;
    if (fault.ends) {
      fault.ends.forEach((end) => add(end, fault));
      continue;
    }
    const target = fault.text.split(/[\s:]/)[0];
    for (const end of model.ends.values()) {
      const names = [nodeName(model, end.node), `${nodeName(model, end.node)}.${end.name}`];
      if (names.includes(target)) add(end.id, fault);
    }
  }
  return faulty;
}
