import { Buffer } from 'node:buffer';
import http from 'node:http';
import https from 'node:https';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import { KIB, SECOND_MS } from '../units.ts';
import type { OutboundRequest, SendError } from '../world.ts';
import type { AllowedUrl } from './allowed-url.ts';
import { findStatusLine } from './status-line.ts';

/** One request over one connection. `addresses` are the only ones that may be connected to. */
export interface Attempt {
  readonly url: AllowedUrl;
  readonly addresses: readonly string[];
  readonly request: OutboundRequest;
  readonly agent: http.Agent;
  /** What is left of the deadline. */
  readonly remainingMs: number;
}

/**
 * A SendResult without its duration. `stale`: a kept connection was closed by the receiver, by
 * all appearances before it saw the request, so that one more try on a new one is due.
 */
export type Outcome =
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly sample: Uint8Array;
    }
  | { readonly kind: 'failed' | 'unknown'; readonly error: SendError }
  | { readonly kind: 'abandoned' }
  | { readonly kind: 'stale' };

const CONNECT_TIMEOUT_MS = 5 * SECOND_MS;
const HEADER_BYTES_MAX = 16 * KIB;
const BODY_BYTES_MAX = 16 * KIB;
const SAMPLE_BYTES = KIB;
const NONE = new Uint8Array();

/**
 * Sends the request and waits for the answer's end, for 16 KB of it, or for the deadline. Once a
 * status line has come the outcome is `answered`, whatever happens afterwards. Redirects are
 * answers, not followed, and nothing is decompressed. Throws only when a header of the request
 * cannot be sent.
 */
export function exchange(attempt: Attempt): Promise<Outcome> {
  return new Promise((resolve) => {
    new Exchange(attempt, resolve).start();
  });
}

/** How far it has come. Only `sent` and later may have reached the receiver. */
type Phase = 'connecting' | 'handshake' | 'sent' | 'answered';

class Exchange {
  readonly #attempt: Attempt;
  readonly #settle: (outcome: Outcome) => void;
  readonly #req: http.ClientRequest;
  readonly #deadline: NodeJS.Timeout;
  #connectTimer: NodeJS.Timeout | undefined;
  #phase: Phase = 'connecting';
  #socket: Socket | undefined;
  /** What has come back so far; let go as soon as Node has understood the head of the answer. */
  #received: Buffer[] = [];
  #receivedBytes = 0;
  #response: http.IncomingMessage | undefined;
  #body: Buffer[] = [];
  #bodyBytes = 0;
  #isOver = false;

  constructor(attempt: Attempt, settle: (outcome: Outcome) => void) {
    this.#attempt = attempt;
    this.#settle = settle;
    this.#req = openRequest(attempt);
    this.#deadline = setTimeout(() => this.#giveUp('timeout'), attempt.remainingMs);
  }

  start(): void {
    this.#req.on('socket', (socket) => this.#onSocket(socket));
    this.#req.on('response', (response) => this.#onResponse(response));
    this.#req.on('upgrade', (response, socket) => {
      this.#end(response);
      socket.destroy();
    });
    this.#req.on('error', (error: NodeJS.ErrnoException) => this.#onError(error));
    this.#req.on('close', () => this.#giveUp('reset'));
  }

  #onSocket(socket: Socket): void {
    this.#socket = socket;
    if (this.#req.reusedSocket) this.#send(socket);
    else this.#awaitConnection(socket);
  }

  #awaitConnection(socket: Socket): void {
    const isTls = this.#attempt.url.protocol === 'https:';
    this.#connectTimer = setTimeout(() => this.#giveUp('timeout'), CONNECT_TIMEOUT_MS);
    socket.once('connect', () => {
      this.#phase = 'handshake';
    });
    socket.once(isTls ? 'secureConnect' : 'connect', () => this.#send(socket));
  }

  /** Nothing has been written before this point, and something may have been after it. */
  #send(socket: Socket): void {
    clearTimeout(this.#connectTimer);
    const { stillWanted, body } = this.#attempt.request;
    if (stillWanted?.() === false) {
      this.#finish({ kind: 'abandoned' }, true);
    } else {
      this.#phase = 'sent';
      socket.prependListener('data', this.#keep);
      this.#req.end(body);
    }
  }

  /**
   * Node bounds the headers of one answer, but neither the number of interim answers before it nor
   * what stands around the body: the size of a chunk may have any number of zeros.
   */
  readonly #keep = (chunk: Buffer): void => {
    const max = HEADER_BYTES_MAX + (this.#response ? BODY_BYTES_MAX : 0);
    if (this.#receivedBytes >= max) this.#giveUp('too_many_headers');
    this.#receivedBytes += chunk.length;
    if (!this.#response) this.#received.push(chunk);
  };

  #onResponse(response: http.IncomingMessage): void {
    if (!hasStatusLine(response)) {
      this.#giveUp('reset');
      return;
    }
    this.#phase = 'answered';
    this.#response = response;
    this.#received = [];
    response.on('data', (chunk: Buffer) => {
      if (this.#bodyBytes < SAMPLE_BYTES) this.#body.push(chunk);
      this.#bodyBytes += chunk.length;
      if (this.#bodyBytes >= BODY_BYTES_MAX) this.#end(response);
    });
    response.on('end', () => this.#end(response));
    response.on('error', () => this.#end(response));
  }

  #onError(error: NodeJS.ErrnoException): void {
    const isUnheard = this.#phase === 'sent' && this.#received.length === 0;
    const isReset = error.code === 'ECONNRESET' || error.code === 'EPIPE';
    if (this.#req.reusedSocket && isUnheard && isReset) this.#finish({ kind: 'stale' });
    else this.#giveUp(nameError(error, this.#phase));
  }

  /** The end by an error or by the deadline, judged by how far it had come. */
  #giveUp(error: SendError): void {
    if (this.#isOver) return;
    const status = findStatusLine(this.#received);
    if (this.#response) {
      this.#end(this.#response);
    } else if (status !== undefined) {
      this.#finish({ kind: 'answered', status, headers: {}, sample: NONE }, true);
    } else {
      this.#finish({ kind: this.#phase === 'sent' ? 'unknown' : 'failed', error }, true);
    }
  }

  /**
   * The end of an answer, whole or not. A connection that still has some of it is not kept, nor is
   * one whose receiver answered without reading the request: that may never get through.
   */
  #end(response: http.IncomingMessage): void {
    if (this.#isOver) return;
    const answer = {
      kind: 'answered',
      status: response.statusCode ?? 0,
      headers: flatHeaders(response.headers),
      sample: new Uint8Array(Buffer.concat(this.#body).subarray(0, SAMPLE_BYTES)),
    } as const;
    this.#finish(answer, !response.complete || !this.#req.writableFinished);
  }

  /** The events that follow from destroying the request change nothing any more. */
  #finish(outcome: Outcome, destroy = false): void {
    this.#isOver = true;
    clearTimeout(this.#deadline);
    clearTimeout(this.#connectTimer);
    this.#socket?.off('data', this.#keep);
    this.#received = [];
    this.#settle(outcome);
    if (destroy) this.#req.destroy();
  }
}

function openRequest({ url, addresses, request, agent }: Attempt): http.ClientRequest {
  const { request: open } = url.protocol === 'https:' ? https : http;
  return open({
    agent,
    host: url.hostname,
    port: url.port,
    path: url.path,
    method: 'POST',
    headers: {
      ...request.headers,
      host: url.host,
      'content-length': request.body.length,
      'accept-encoding': 'identity',
    },
    lookup: pinnedLookup(addresses),
    maxHeaderSize: HEADER_BYTES_MAX,
    insecureHTTPParser: false,
  });
}

/** Node asks this for the address instead of DNS, so that the answer cannot change in between. */
function pinnedLookup(addresses: readonly string[]): LookupFunction {
  return (_hostname, options, callback) => {
    const all = addresses.map((address) => ({ address, family: isIP(address) }));
    if (options.all) callback(null, all);
    else callback(null, all[0]?.address ?? '', all[0]?.family);
  };
}

/** Node's parser takes any three digits for a status, and HTTP/0.9 and HTTP/2.0 for a version. */
function hasStatusLine({ statusCode = 0, httpVersionMajor }: http.IncomingMessage): boolean {
  return httpVersionMajor === 1 && statusCode >= 100;
}

/** Names are those of the closed list: a receiver's error texts are never passed on. */
function nameError({ code }: NodeJS.ErrnoException, phase: Phase): SendError {
  if (code === 'HPE_HEADER_OVERFLOW') return 'too_many_headers';
  if (phase === 'sent' || code === 'ECONNRESET' || code === 'EPIPE') return 'reset';
  if (code === 'ETIMEDOUT') return 'timeout';
  return phase === 'handshake' ? 'tls' : 'refused';
}

function flatHeaders(headers: http.IncomingHttpHeaders): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined) flat[name] = typeof value === 'string' ? value : value.join(', ');
  }
  return flat;
}
