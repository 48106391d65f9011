import type { oas31 } from 'zod-openapi';

/** The rooms as the reference groups their routes. A new room is described here. */
const TAGS: Readonly<Record<string, readonly [name: string, description: string]>> = {
  tenants: ['Tenants and keys', 'Who may use the API. The operator makes tenants; they make keys.'],
  ledger: ['Ledger', 'Accounts, and the transactions that move money between them.'],
  events: ['Events', 'Events of your own, sent to every endpoint that wants them.'],
  webhooks: ['Webhooks', 'Endpoints that receive events, and what became of each delivery.'],
  files: ['Files', 'One alert to each user of a file, at the pace that the receiver can bear.'],
  tasks: ['Tasks', 'What is to happen later.'],
  inbox: ['Inbox', 'Webhooks of others, taken in at once and each worked off once.'],
  audit: ['Audit', 'Whether the ledger is what it must be.'],
  docs: ['Operations', 'Whether the API answers, and how it is used.'],
  operations: ['Operations', 'Whether the API answers, and how it is used.'],
};

/** The tag of the routes of a room. Throws for a room that is not described. */
export function tagOf(room: string): string {
  const tag = TAGS[room];
  if (!tag) throw new Error(`test/docs/openapi/tags.ts does not say what the room ${room} is`);
  return tag[0];
}

/** The tags of these rooms, each once, in the order of the reference. */
export function tagsOf(rooms: readonly string[]): oas31.TagObject[] {
  const used = Object.entries(TAGS).filter(([room]) => rooms.includes(room));
  return [
    ...new Map(used.map(([, [name, description]]) => [name, { name, description }])).values(),
  ];
}
