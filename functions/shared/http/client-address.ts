import { createHash } from 'node:crypto';
import { BlockList, isIP } from 'node:net';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/**
 * The network of a client, as one that is counted: an IPv4 address, or the 64 bits of an IPv6 one
 * that a provider gives to one customer. Undefined for this machine, which only a local cloud
 * sees: API Gateway takes the address from the connection, and nobody connects to it from there.
 */
export function networkOf(address: string): string | undefined {
  const family = isIP(address);
  if (family === 0) return address;
  if (LOOPBACK.check(address, family === 6 ? 'ipv6' : 'ipv4')) return undefined;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  return mapped ?? (family === 4 ? address : firstHalf(address));
}

/** What a network is called where it is stored or logged: no address is written down as it is. */
export function nameOfNetwork(network: string): string {
  return createHash('sha256').update(network).digest('hex').slice(0, 32);
}

/** The first four of eight groups, where `::` stands for as many zeros as are missing. */
function firstHalf(address: string): string {
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  const missing = tail === undefined ? 0 : 8 - groups.length;
  const zeros = Array.from({ length: missing }, () => '0');
  const half = [...groups, ...zeros].slice(0, 4).map((it) => Number.parseInt(it, 16).toString(16));
  return `${half.join(':')}::/64`;
}
