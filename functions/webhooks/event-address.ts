import type { OutboxEvent } from '../events/event.ts';
import type { Addressed } from './endpoint.ts';

/** What endpoints have to know of an event to want it. */
export function addressOf(event: OutboxEvent): Addressed {
  return { type: event.type, to: event.to, about: endpointIn(event) };
}

/** The endpoint that an event of ours complains about. */
function endpointIn({ type, data }: OutboxEvent): string | undefined {
  if (!/^(delivery|endpoint)\./.test(type)) return undefined;
  const facts = JSON.parse(data) as { readonly endpointId?: unknown } | null;
  return typeof facts?.endpointId === 'string' ? facts.endpointId : undefined;
}
