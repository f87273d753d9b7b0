/** The socket beside the control socket that takes orders. */
export function commandSocketOf(controlSocket: string): string {
  return `${controlSocket}.admin`;
}
