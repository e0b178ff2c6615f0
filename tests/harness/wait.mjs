// Waiting for events with a deadline; nothing here sleeps for a fixed time and hopes.

/** Long enough for a busy machine: reaching it is a failure, never a pace. */
export const DEADLINE_MS = 10_000;

export function within(promise, what, ms = DEADLINE_MS) {
  let timer;
  const deadline = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`deadline of ${ms} ms: ${what()}`)), ms);
  });
  return Promise.race([promise, deadline]).finally(() => clearTimeout(timer));
}

/** Asks again and again until the answer is truthy. */
export async function until(what, ask, ms = DEADLINE_MS) {
  const end = Date.now() + ms;
  for (;;) {
    const found = await ask();
    if (found) return found;
    if (Date.now() > end) throw new Error(`deadline of ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Collects what comes in under names, so that nothing is lost between two waits. */
export class Inbox {
  #queues = new Map();
  #waiting = [];
  /** Every name in order of arrival. */
  order = [];

  put(name, value) {
    this.order.push(name);
    const index = this.#waiting.findIndex(({ names }) => names.includes(name));
    if (index >= 0) this.#waiting.splice(index, 1)[0].resolve([name, value]);
    else this.#queue(name).push(value);
  }

  #queue(name) {
    if (!this.#queues.has(name)) this.#queues.set(name, []);
    return this.#queues.get(name);
  }

  /** What has arrived under this name and was not taken yet. */
  left(name) {
    return [...this.#queue(name)];
  }

  /** Takes what comes first under one of the names: its name and value. */
  async first(names, ms = DEADLINE_MS) {
    for (const name of names) {
      if (this.#queue(name).length > 0) return [name, this.#queue(name).shift()];
    }
    const waiter = { names };
    const arrival = new Promise((resolve) => (waiter.resolve = resolve));
    this.#waiting.push(waiter);
    const what = () => `no "${names.join('" or "')}"; arrived: ${this.order.slice(-20).join(", ") || "nothing"}`;
    try {
      return await within(arrival, what, ms);
    } finally {
      this.#waiting = this.#waiting.filter((other) => other !== waiter);
    }
  }

  async next(name, ms = DEADLINE_MS) {
    return (await this.first([name], ms))[1];
  }

  async take(name, count, ms = DEADLINE_MS) {
    const values = [];
    while (values.length < count) values.push(await this.next(name, ms));
    return values;
  }
}
