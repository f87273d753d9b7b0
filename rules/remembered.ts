import type { Policy } from './world.js';

/**
 * The same function, which computes again only if one of these fields is another object than in the call before. A site
 * with one more gateway is the site before in all other fields, and what follows from these is then the same object as
 * before: a comparison need not look into it.
 */
export function rememberLast<Input extends object, Field extends keyof Input, Result>(
  fields: readonly Field[],
  compute: (input: Pick<Input, Field>) => Result,
): (input: Pick<Input, Field>) => Result {
  let last: { readonly input: Pick<Input, Field>; readonly result: Result } | null = null;
  return (input) => {
    const known = last;
    if (known !== null && fields.every((field) => known.input[field] === input[field])) return known.result;
    const result = compute(input);
    last = { input, result };
    return result;
  };
}

/** The same function, which gives the same result for the same objects, as long as the policy is the same. */
export function rememberEach<Of extends object, Result>(
  compute: (policy: Policy, of: Of) => Result,
): (policy: Policy, of: Of) => Result {
  const known = new WeakMap<Of, { readonly policy: Policy; readonly result: Result }>();
  return (policy, of) => {
    const before = known.get(of);
    if (before?.policy === policy) return before.result;
    const result = compute(policy, of);
    known.set(of, { policy, result });
    return result;
  };
}
