// A value that is there at once or comes later. Machines in this process answer at once, machines in other processes do not, and one
// way to run a case serves both. Awaiting what is there already would cost the first kind a turn of the event loop's queue at each
// step of each test, and with it the order in which they are simple to follow.

export type MaybePromise<T> = T | Promise<T>;

/** `next` now, if the value is there, else when it comes. */
export function after<T, U>(value: MaybePromise<T>, next: (value: T) => MaybePromise<U>): MaybePromise<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}

export function together<T>(values: readonly MaybePromise<T>[]): MaybePromise<readonly T[]> {
  const known: T[] = [];
  for (const value of values) {
    if (value instanceof Promise) return Promise.all(values);
    known.push(value);
  }
  return known;
}
