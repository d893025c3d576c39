// What a packet's summary says, shortened for an arrow: flags, lengths, and TCP's numbers
// relative to the first one that was recorded of a direction.

const SEGMENT = /^TCP (\S+) > (\S+)((?: (?:SYN|FIN|RST|PSH|URG|ACK))*) seq (\d+)(?: ack (\d+))? len (\d+)(.*)$/;

function describePackets(model) {
  const bases = new Map();
  const seen = new Set();
  const records = [...model.packets.values()];
  for (const record of records) {
    const segment = SEGMENT.exec(record.summary);
    if (segment) describeSegment(record, segment, bases, seen);
    else describeOther(record);
    model.protocols.set(record.protocol, (model.protocols.get(record.protocol) ?? 0) + 1);
    record.flow = flowOf(record);
    if (record.flow) {
      const flow = model.flows.get(record.flow) ?? { key: record.flow, packets: 0, bytes: 0 };
      flow.packets += 1;
      if (!record.received) flow.bytes += record.length;
      model.flows.set(record.flow, flow);
    }
  }
}

/** `TCP 10.0.0.1:80 ~ 10.0.0.2:40000`: both directions have the same. */
function flowOf({ protocol, source, destination }) {
  if (!source || !destination) return null;
  return `${protocol} ${[source, destination].sort().join(" ~ ")}`;
}

function describeSegment(record, segment, bases, seen) {
  const [, source, destination, flagText, seqText, ackText, lengthText, rest] = segment;
  const flags = flagText.trim();
  const [seq, length] = [Number(seqText), Number(lengthText)];
  const [way, back] = [`${source} ${destination}`, `${destination} ${source}`];
  // A connection that reuses its ports begins anew with another SYN.
  const opens = /SYN/.test(flags);
  if (!bases.has(way) || opens) bases.set(way, seq);
  // A middle that was recorded without its beginning: the reply's number is the base.
  if (ackText !== undefined && !bases.has(back)) bases.set(back, Number(ackText));
  const relative = (value, base) => (value - base) >>> 0;
  const data = length > 0 ? bytes(length) : "";
  const shown = data && flags === "PSH ACK" ? "PSH" : data && flags === "ACK" ? "" : flags;
  record.label = [shown, data].filter(Boolean).join(" ");
  const ack = ackText === undefined ? "" : ` ack ${relative(Number(ackText), bases.get(back))}`;
  record.info = `${flags} seq ${relative(seq, bases.get(way))}${ack} len ${length}${rest}`.trim();
  if (!record.received && (length > 0 || /SYN|FIN/.test(flags))) {
    const key = `${record.link_end} ${way} ${seq} ${length} ${flags.replace(/PSH |URG /, "")}`;
    record.again = seen.has(key);
    seen.add(key);
  }
}

function describeOther(record) {
  const { summary, protocol, source, destination } = record;
  let info = summary.startsWith(`${protocol} `) ? summary.slice(protocol.length + 1) : summary;
  const addresses = `${source} > ${destination} `;
  if (info.startsWith(addresses)) info = info.slice(addresses.length);
  record.info = info;
  const length = /^len (\d+)$/.exec(info);
  record.label = length ? bytes(Number(length[1])) : info.replace(/\? tell .*$/, "?");
}
