/** The lines of an iptables-save, each with its table. */
export function savedLines(saved: string): readonly { readonly table: string; readonly line: string }[] {
  let table = '';
  return saved.split('\n').map((line) => {
    if (line.startsWith('*')) table = line.slice(1);
    return { table, line };
  });
}
