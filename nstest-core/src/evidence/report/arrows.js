// One arrow of the sequence diagram: from the lane that sent to the lane that received, or to
// a cross where a fault dropped the packet, or to a ring where nothing received it.

const HEAD = 8;

function drawArrow(sequence, { transmission, receive, row0, row1 }, y) {
  const { send, first, fates } = transmission;
  const middle = (row) => y(row) + ROW * 0.68;
  const from = send ? sequence.laneX(send.node) : null;
  const to = receive ? sequence.laneX(receive.node) : sequence.laneX(transmission.target);
  const [y0, y1] = [middle(row0), middle(row1)];
  const dropped = fates.some((fate) => fate.effect === "dropped");
  const parts = [];
  let [x0, x1] = [from, to];
  const each = sequence.laneWidth / Math.max(1, sequence.layout.lanes.length);
  if (x0 === null && x1 === null) return null;
  if (x0 === null) x0 = x1 + (x1 - each * 0.6 < sequence.bandWidth ? 0.6 : -0.6) * each;
  if (x1 === null) x1 = x0 + (x0 + each * 0.6 > sequence.bandWidth + sequence.laneWidth ? -0.6 : 0.6) * each;
  if (x0 === x1) return loop(x0, y0, first);
  const way = Math.sign(x1 - x0);
  const slope = (at) => y0 + ((y1 - y0) * (at - x0)) / (x1 - x0);
  if (receive) {
    parts.push(s("line", { class: "shaft", x1: x0, y1: y0, x2: x1 - way * (HEAD - 1), y2: slope(x1 - way * (HEAD - 1)) }));
    parts.push(head(x1, y1, Math.atan2(y1 - y0, x1 - x0)));
  } else {
    const stop = to === null ? x1 : x0 + (x1 - x0) * (dropped ? 0.62 : 0.8);
    parts.push(s("line", { class: "shaft", x1: x0, y1: y0, x2: stop - way * (dropped ? 0 : 4), y2: y0 }));
    if (dropped) parts.push(cross(stop, y0));
    else if (fates.some((fate) => fate.effect === "answered")) parts.push(bar(stop, y0));
    else parts.push(s("circle", { class: "ring", cx: stop, cy: y0, r: 4 }));
  }
  if (send) parts.push(s("circle", { class: "origin", cx: x0, cy: y0, r: 2.5 }));
  const isFirst = !receive || receive === transmission.receives[0] || !send;
  const atOrigin = !receive || y0 !== y1;
  if (isFirst) parts.push(label(first, x0, x1, y0, atOrigin, receive ? each : each * 0.62));
  return s("g", { class: `arrow ${arrowTone(transmission, receive)} ${hue(first.protocol)}`, "data-packet": first.packet }, parts);
}

function arrowTone({ send, receives, fates }, receive) {
  const has = (effect) => fates.some((fate) => fate.effect === effect);
  if (!receive) return has("dropped") ? "bad" : "lost";
  if (!send || has("made") || has("answered") || has("changed")) return "odd";
  if (has("duplicated") && receive !== receives[0]) return "odd";
  return has("delayed") ? "late" : "plain";
}

function head(x, y, angle) {
  const degrees = (angle * 180) / Math.PI;
  return s("path", { class: "head", d: `M0 0 L${-HEAD} -4 L${-HEAD} 4 Z`, transform: `translate(${x} ${y}) rotate(${degrees})` });
}

function cross(x, y) {
  return s("path", { class: "cross", d: `M${x - 5} ${y - 5} L${x + 5} ${y + 5} M${x - 5} ${y + 5} L${x + 5} ${y - 5}` });
}

function bar(x, y) {
  return s("path", { class: "cross", d: `M${x} ${y - 6} L${x} ${y + 6}` });
}

/** The label is above the shaft, or where the arrow begins: over a slope, and before a cross. */
function label(record, x0, x1, y, atOrigin, each) {
  const text = record.label;
  if (!text) return null;
  const room = Math.floor((Math.min(Math.abs(x1 - x0), each) - 14) / 6.2);
  const shown = text.length > room ? `${text.slice(0, Math.max(3, room - 1))}…` : text;
  const way = Math.sign(x1 - x0);
  const middle = (x0 + (Math.abs(x1 - x0) > 1.5 * each ? x0 + way * each : x1)) / 2;
  const anchor = atOrigin ? (way > 0 ? "start" : "end") : "middle";
  const x = atOrigin ? x0 + way * 8 : middle;
  return s("text", { class: "label", x, y: y - 5, "text-anchor": anchor }, shown);
}

/** A packet that a node sent to itself. */
function loop(x, y, record) {
  const path = s("path", { class: "shaft", d: `M${x} ${y - 5} h18 v8 h-12` });
  const text = s("text", { class: "label", x: x + 24, y: y + 3 }, record.label);
  return s("g", { class: `arrow plain ${hue(record.protocol)}`, "data-packet": record.packet }, path, head(x + 2, y + 3, Math.PI), text);
}
