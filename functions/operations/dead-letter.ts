import { KIB } from '../shared/units.ts';
import type { DeadLetter, ParkedName } from '../shared/world.ts';

/** Messages can be moved back to their queue, positions in the stream cannot. */
const KINDS = {
  'delivery-fast': 'message',
  'delivery-slow': 'message',
  'endpoint-care': 'message',
  'file-events': 'message',
  'file-blocks': 'message',
  'file-care': 'message',
  'hold-expiry': 'message',
  audits: 'message',
  tasks: 'message',
  inbox: 'message',
  sweeps: 'message',
  unrelayed: 'position',
  unprojected: 'position',
} as const satisfies Readonly<Record<ParkedName, 'message' | 'position'>>;

type OfKind<Kind> = { [Name in ParkedName]: (typeof KINDS)[Name] extends Kind ? Name : never };

/** A queue whose dead letters can be moved back to it. */
export type Redrivable = OfKind<'message'>[ParkedName];

/** Every queue of dead letters, in the order in which they are listed. */
export const PARKED_NAMES = Object.keys(KINDS) as ParkedName[];

export const isRedrivable = (name: ParkedName): name is Redrivable => KINDS[name] === 'message';

/** What is said instead of moving a position back. */
export const WHY_NOT_REDRIVABLE: Readonly<Record<Exclude<ParkedName, Redrivable>, string>> = {
  unrelayed:
    'It holds positions in the event stream, which cannot be moved back. The reconciler relays ' +
    'those events again by itself: see the runbook, then drop them.',
  unprojected:
    'It holds positions in the event stream, which cannot be moved back. Rebuild the statements ' +
    'from the journal: see the runbook, then drop them.',
};

const SHOWN_MAX = 2 * KIB;

/** What an operator may see of it: the data of events belongs to a tenant and is left out. */
export function shownOf({ body }: Pick<DeadLetter, 'body'>): { body: string; reason?: string } {
  const parsed = parse(body);
  if (parsed === undefined) return { body: cut(body), reason: 'not_json' };
  const text = JSON.stringify(parsed, (name, value) => (name === 'data' ? sizeOf(value) : value));
  const condition = conditionOf(parsed);
  return { body: cut(text), ...(condition !== undefined && { reason: condition }) };
}

function sizeOf(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return `${text.length} characters`;
}

const cut = (text: string): string => text.slice(0, SHOWN_MAX).toWellFormed();

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Why Lambda gave up a batch of stream records: it says so in what it parks. */
function conditionOf(parsed: unknown): string | undefined {
  const { requestContext } = Object(parsed) as { requestContext?: { condition?: unknown } };
  const condition = requestContext?.condition;
  return typeof condition === 'string' ? condition.slice(0, 100) : undefined;
}
