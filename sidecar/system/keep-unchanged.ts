/** `known` if it says the same as `next`, both plain data: who compares objects then need not look into it. */
export function keepValue<T>(known: T | undefined, next: T): T {
  return known !== undefined && (known === next || JSON.stringify(known) === JSON.stringify(next)) ? known : next;
}

/**
 * `next`, in which each field that says the same as in `known` is the very object of `known`; `known` itself if nothing
 * changed.
 *
 * @param known null: there is none
 */
export function keepUnchanged<T extends object>(known: T | null, next: T): T {
  if (known === null) return next;
  const kept = { ...next };
  let isSame = Object.keys(known).length === Object.keys(next).length;
  for (const name of Object.keys(next) as (keyof T)[]) {
    kept[name] = keepValue(known[name], next[name]);
    isSame &&= kept[name] === known[name];
  }
  return isSame ? known : kept;
}
