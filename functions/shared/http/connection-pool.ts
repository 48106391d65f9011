import http from 'node:http';
import https from 'node:https';
import { SECOND_MS } from '../units.ts';
import type { AllowedUrl } from './allowed-url.ts';

/** Keep-alive connections by origin. */
export interface ConnectionPool {
  /**
   * An agent whose sockets are young enough. If this process was idle or frozen before, what has
   * come in on them meanwhile has been read by then: one that its receiver has left is not written
   * to, and bytes that nobody asked for are not the next answer.
   */
  agentFor(url: AllowedUrl): Promise<http.Agent>;
}

interface Entry {
  readonly agent: http.Agent;
  readonly bornMs: number;
}

const SOCKET_AGE_MS_MAX = 60 * SECOND_MS;
/** Whoever sent within that time has been reading, too. */
const IDLE_MS_MIN = 20;
/** Below the 1,024 files that a Lambda may open, at the ten requests that one batch sends. */
const ORIGINS_MAX = 64;

/**
 * Agents are replaced as a whole when they are a minute old, instead of timing every socket: a
 * Lambda that was frozen in between finds out by the clock, before it uses anything.
 */
export function openConnectionPool(nowMs: () => number = Date.now): ConnectionPool {
  const entries = new Map<string, Entry>();
  let askedMs = nowMs();
  let waking: Promise<void> | undefined;

  /** All who ask in the same moment wait for the same turn. */
  function wake(): Promise<void> | undefined {
    const idleMs = nowMs() - askedMs;
    askedMs += idleMs;
    if (idleMs >= 0 && idleMs < IDLE_MS_MIN) return waking;
    waking ??= turnOfTheLoop().finally(() => {
      waking = undefined;
    });
    return waking;
  }

  function retire(origin: string, { agent }: Entry): void {
    entries.delete(origin);
    agent.maxFreeSockets = 0;
    for (const socket of Object.values(agent.freeSockets).flat()) socket?.destroy();
  }

  function makeRoom(): void {
    for (const [origin, entry] of entries) {
      if (entries.size < ORIGINS_MAX && isYoung(entry, nowMs())) return;
      retire(origin, entry);
    }
  }

  return {
    async agentFor(url) {
      await wake();
      const entry = entries.get(url.origin);
      if (entry && isYoung(entry, nowMs())) return entry.agent;

      if (entry) retire(url.origin, entry);
      makeRoom();
      const agent = openAgent(url, SOCKET_AGE_MS_MAX);
      entries.set(url.origin, { agent, bornMs: nowMs() });
      return agent;
    },
  };
}

/** Between one check phase and the next lies a poll, which reads all that has come by then. */
function turnOfTheLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}

/**
 * Keeps a connection that nobody uses for so many milliseconds; for 0, not beyond its request.
 * TLS is verified whatever the environment says, and a proxy in the environment is not used.
 */
export function openAgent(url: AllowedUrl, idleMs: number): http.Agent {
  const kept = idleMs > 0 ? { keepAlive: true, timeout: idleMs } : { keepAlive: false };
  if (url.protocol === 'http:') return new http.Agent(kept);
  return new https.Agent({ ...kept, rejectUnauthorized: true, minVersion: 'TLSv1.2' });
}

/** A clock that went backward makes everything old: better one handshake too many. */
function isYoung({ bornMs }: Entry, nowMs: number): boolean {
  const ageMs = nowMs - bornMs;
  return ageMs >= 0 && ageMs < SOCKET_AGE_MS_MAX;
}
