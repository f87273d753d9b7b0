/** What the page asks of the server that it came from, and of nobody else. */

const TOKEN = 'gwmark-token';

/**
 * The token of the address, behind `#`, which a browser never sends. It is kept for this tab, and leaves the address, so that
 * no bookmark and no screenshot has it.
 */
export function takeToken(): void {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (token === null) return;
  sessionStorage.setItem(TOKEN, token);
  history.replaceState(null, '', location.pathname);
}

/** Keeps a token that the user typed. */
export function keepToken(token: string): void {
  sessionStorage.setItem(TOKEN, token);
}

/** An answer that is no success. */
export class Refused extends Error {
  readonly status: number;

  constructor(status: number, text: string) {
    super(text.trim());
    this.status = status;
  }
}

/** @throws Refused with what the server says, TypeError if it does not answer */
export async function ask(path: string, signal?: AbortSignal): Promise<Response> {
  const headers = { authorization: `Bearer ${sessionStorage.getItem(TOKEN) ?? ''}` };
  const response = await fetch(path, { headers, cache: 'no-store', ...(signal === undefined ? {} : { signal }) });
  if (!response.ok) throw new Refused(response.status, await response.text());
  return response;
}

/** The answer of a page of JSON; the caller knows its type. */
export async function askJson<Body>(path: string): Promise<Body> {
  return (await (await ask(path)).json()) as Body;
}
