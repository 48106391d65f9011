import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** `public`: anyone on the internet has it. `loopback`: this machine. `refused`: all others. */
export type AddressClass = 'public' | 'loopback' | 'refused';

/** The block that IANA gives out for global IPv6 (RFC 4291). */
const GLOBAL_IPV6 = ipaddr.parseCIDR('2000::/3') as [ipaddr.IPv6, number];
/** The well-known prefix of NAT64 (RFC 6052): the last 32 bits are an IPv4 address. */
const NAT64 = ipaddr.parseCIDR('64:ff9b::/96') as [ipaddr.IPv6, number];

/**
 * Says where an IP address leads. An IPv6 address that carries an IPv4 address is judged by that
 * one. Everything that is not plainly one address of the public internet is `refused`: private,
 * link-local, multicast, reserved and transition ranges, zones, and texts that are no address.
 */
export function classifyAddress(text: string): AddressClass {
  if (isIP(text) === 0 || text.includes('%')) return 'refused';

  const address = ipaddr.parse(text);
  return address instanceof ipaddr.IPv6 ? classifyIpv6(address) : classifyIpv4(address);
}

function classifyIpv4(address: ipaddr.IPv4): AddressClass {
  const range = address.range();
  if (range === 'loopback') return 'loopback';
  return range === 'unicast' ? 'public' : 'refused';
}

function classifyIpv6(address: ipaddr.IPv6): AddressClass {
  if (address.isIPv4MappedAddress()) return classifyIpv4(address.toIPv4Address());
  if (address.match(NAT64)) {
    const embedded = new ipaddr.IPv4(address.toByteArray().slice(-4));
    return classifyIpv4(embedded) === 'public' ? 'public' : 'refused';
  }
  if (address.range() === 'loopback') return 'loopback';
  return address.range() === 'unicast' && address.match(GLOBAL_IPV6) ? 'public' : 'refused';
}
