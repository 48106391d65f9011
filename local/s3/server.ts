import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { messageOf } from '../failure.ts';
import { bucketAction } from './bucket-actions.ts';
import { objectAction } from './object-actions.ts';
import { S3Refusal } from './refusal.ts';
import type { ObjectStore } from './store.ts';
import { xml } from './xml.ts';

/** A request, taken apart. */
export interface S3Call {
  readonly method: string;
  readonly bucket: string;
  /** Empty for the bucket itself. */
  readonly key: string;
  readonly query: URLSearchParams;
  readonly request: IncomingMessage;
  readonly store: ObjectStore;
}

export interface S3Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | number>>;
  /** XML, or the bytes of an object. */
  readonly body?: string | AsyncIterable<Uint8Array>;
}

/** Uploads of gigabytes take their time; a dead connection is noticed by TCP. */
const UNLIMITED = 0;

/** S3 with path-style addresses. Nobody is asked who they are, but upload forms are checked. */
export function s3Server(store: ObjectStore): Server {
  const server = createServer({ requestTimeout: UNLIMITED }, async (request, response) => {
    const requestId = randomUUID();
    try {
      await send(response, requestId, await answer(request, store));
    } catch (error) {
      if (response.headersSent) response.destroy();
      else await send(response, requestId, refusalOf(error));
      // What is left of a refused upload is read and thrown away, so that the client hears why.
      request.resume();
    }
  });
  return server;
}

function answer(request: IncomingMessage, store: ObjectStore): Promise<S3Answer> {
  const { method = 'GET', url = '/' } = request;
  const { pathname, searchParams } = new URL(url, 'http://127.0.0.1');
  const [bucket = '', ...rest] = pathname.slice(1).split('/').map(decodeURIComponent);
  const call = { method, bucket, key: rest.join('/'), query: searchParams, request, store };
  return call.key === '' ? bucketAction(call) : objectAction(call);
}

async function send(response: ServerResponse, requestId: string, it: S3Answer): Promise<void> {
  const isXml = typeof it.body === 'string' && it.body !== '';
  response.writeHead(it.status, {
    'x-amz-request-id': requestId,
    ...(isXml ? { 'content-type': 'application/xml' } : {}),
    ...it.headers,
  });
  if (it.body === undefined || typeof it.body === 'string') return void response.end(it.body);
  for await (const chunk of it.body) {
    if (response.destroyed) return;
    if (!response.write(chunk)) await drained(response);
  }
  response.end();
}

/** Resolves when the client has read on, or has gone. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      response.off('drain', finish);
      response.off('close', finish);
      resolve();
    };
    response.on('drain', finish);
    response.on('close', finish);
  });
}

function refusalOf(error: unknown): S3Answer {
  const isKnown = error instanceof S3Refusal;
  const code = isKnown ? error.code : 'InternalError';
  const body = xml('Error', [xml('Code', code), xml('Message', messageOf(error))]);
  return { status: isKnown ? error.status : 500, body };
}
