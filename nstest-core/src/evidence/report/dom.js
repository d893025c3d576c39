"use strict";
// Helpers: elements, and values as text. Texts of the test only ever become text nodes.

/** Makes an HTML element. Attributes that are null or false are left out. */
function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Makes an SVG element. */
function s(tag, attributes, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return element;
}

const byId = (id) => document.getElementById(id);

/** Seconds since the start, to the microsecond. */
function clock(seconds) {
  return seconds.toFixed(6);
}

/** A duration in the unit in which it has one to three digits before the point. */
function duration(seconds) {
  const size = Math.abs(seconds);
  if (size < 1e-6) return `${Math.round(seconds * 1e9)} ns`;
  if (size < 1e-3) return `${digits(seconds * 1e6)} µs`;
  if (size < 1) return `${digits(seconds * 1e3)} ms`;
  return `${digits(seconds)} s`;
}

function digits(value) {
  return Math.abs(value) < 10 ? value.toFixed(2) : Math.abs(value) < 100 ? value.toFixed(1) : value.toFixed(0);
}

const GROUPED = new Intl.NumberFormat("en-US");

/** `1 packet`, `12,000 packets`. */
function count(number, noun) {
  return `${GROUPED.format(number)} ${noun}${number === 1 ? "" : "s"}`;
}

function bytes(number) {
  return `${GROUPED.format(number)} B`;
}

/** The index of the first item that is not before `time`. */
function firstAt(items, time, timeOf = (item) => item.time) {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (timeOf(items[middle]) < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Gives spans `[start, end]` columns, so that spans in one column do not overlap. */
function columns(spans) {
  const ends = [];
  return spans.map(([start, end]) => {
    let column = ends.findIndex((busy) => busy < start);
    if (column < 0) column = ends.length;
    ends[column] = end;
    return column;
  });
}

/** What was done to a packet: for colour, symbol and text. */
const EFFECTS = {
  dropped: { tone: "bad", rank: 0 },
  answered: { tone: "odd", rank: 1 },
  made: { tone: "odd", rank: 2 },
  changed: { tone: "odd", rank: 3 },
  duplicated: { tone: "odd", rank: 4 },
  delayed: { tone: "late", rank: 5 },
};

function effectText(fate) {
  return fate.effect === "delayed" && fate.delay ? `delayed ${duration(fate.delay / 1e9)}` : fate.effect;
}
