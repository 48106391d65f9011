import type { Server } from 'node:http';

/** A service that answers under an address on this machine. */
export interface Engine {
  readonly endpoint: string;
  /** Ends what was started for it, and resolves when that is gone. */
  stop(): Promise<void>;
}

/** Hangs up on everybody and resolves when the port is free. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
