import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { afterAll, beforeAll, vi } from 'vitest';

/** Where a connection was meant to go. */
interface Target {
  readonly host?: string;
  readonly port?: number | string;
  readonly lookup?: net.LookupFunction;
}

export interface Canary {
  /** How many connections have ended here. */
  reached(): number;
  /** From now on an address has a port of this machine instead. */
  put(address: string, port: number): void;
}

/**
 * A listener that stands at every address in the world for the tests of a file: whatever
 * connection this process opens, to whichever address, name or port, ends here.
 */
export function useCanary(): Canary {
  const ports = new Map<string, number>();
  let reached = 0;
  const server = net.createServer((socket) => {
    reached += 1;
    socket.on('error', () => {}).destroy();
  });
  beforeAll(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const connect = net.Socket.prototype.connect as (...args: unknown[]) => net.Socket;
    vi.spyOn(net.Socket.prototype, 'connect').mockImplementation(function (
      this: net.Socket,
      ...args: unknown[]
    ) {
      // Node passes its own calls on as one list.
      const [target, done] = (Array.isArray(args[0]) ? args[0] : args) as [Target, unknown];
      const local = { host: '127.0.0.1', port: ports.get(addressOf(target)) ?? port };
      return connect.call(this, local, done ?? undefined);
    });
  });
  afterAll(() => {
    vi.restoreAllMocks();
    server.close();
  });
  return { reached: () => reached, put: (address, port) => ports.set(address, port) };
}

/** A pinned lookup answers at once. */
function addressOf({ host = '', lookup }: Target): string {
  let address = host;
  lookup?.(host, { all: true }, (_error, addresses) => {
    address = Array.isArray(addresses) ? (addresses[0]?.address ?? host) : addresses;
  });
  return address;
}
