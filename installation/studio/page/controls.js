// What is played, and the way back: values by address, undo and redo. Knows nothing of the page's elements.

export class Controls {
  constructor() {
    this.rest = {};
    this.values = {};
    this.past = [];
    this.future = [];
    this.onchange = () => {};
  }

  /** Take the rest values of the menu; what was played stays where its control still exists, now and in undo. */
  adopt(rest) {
    const known = (values) => Object.fromEntries(Object.entries(values).filter(([address]) => address in rest));
    this.rest = rest;
    this.values = known(this.values);
    this.past = this.past.map(known);
    this.future = this.future.map(known);
  }

  get(address) { return this.values[address] ?? this.rest[address]; }

  /** Move a control. A move that is not yet finished (a slider under the finger) does not count for undo. */
  set(address, value, finished = true) {
    if (this.before === undefined) this.before = { ...this.values };
    if (value === this.rest[address]) delete this.values[address];
    else this.values[address] = value;
    if (finished) this.finish();
    this.onchange();
  }

  finish() {
    const before = this.before;
    this.before = undefined;
    if (before === undefined || same(before, this.values)) return;
    this.past.push(before);
    this.future = [];
  }

  undo() { this.step(this.past, this.future); }
  redo() { this.step(this.future, this.past); }

  reset() {
    this.finish();
    this.before = { ...this.values };
    this.values = {};
    this.finish();
    this.onchange();
  }

  step(from, to) {
    this.finish();
    if (!from.length) return;
    to.push(this.values);
    this.values = from.pop();
    this.onchange();
  }

  /** Whether a slider is under a finger. */
  get moving() { return this.before !== undefined; }

  get moved() { return Object.keys(this.values).length > 0; }
}

function same(a, b) {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
