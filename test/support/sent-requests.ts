import diagnostics from 'node:diagnostics_channel';
import type { ClientRequest } from 'node:http';
import { afterAll, beforeAll, beforeEach } from 'vitest';

/** The requests that this process has sent since the test began, as Node tells of them. */
export function useSentRequests(): readonly ClientRequest[] {
  const sent: ClientRequest[] = [];
  const note = (message: unknown) => sent.push((message as { request: ClientRequest }).request);
  beforeAll(() => diagnostics.subscribe('http.client.request.start', note));
  afterAll(() => void diagnostics.unsubscribe('http.client.request.start', note));
  beforeEach(() => void sent.splice(0));
  return sent;
}
