/** True for six two-digit hexadecimal numbers between colons, in lower case: as the kernel and iproute2 print it. */
export function isMac(text: string): boolean {
  return /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(text);
}

/** True for the MAC address of one station: neither a group address (IEEE 802, the I/G bit) nor the zero address. */
export function isUnicastMac(text: string): boolean {
  return isMac(text) && (Number.parseInt(text.slice(0, 2), 16) & 1) === 0 && text !== '00:00:00:00:00:00';
}
