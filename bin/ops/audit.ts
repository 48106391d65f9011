import { type ApiCaller, Refused } from './api-caller.ts';
import { asTenant } from './as-tenant.ts';
import { type Command, type Desk, type Given, type Outcome, Refusal } from './command.ts';
import { reasonOf } from './reason-of.ts';
import { repair } from './repair.ts';
import { inColumns } from './rows.ts';

const POLL_MS = 1_000;
const POLLS_PER_NOTE = 10;
/** So long nobody may answer: an audit can take an hour, and a deployment of the API a minute. */
const SILENCE_MS_MAX = 120_000;

type Counts = Readonly<Record<string, number>>;

interface Audit {
  readonly id: string;
  readonly status: string;
  readonly createdAt: string;
  readonly checked: Counts;
  readonly violations: Counts;
  readonly offenders: readonly { invariant: string; id: string; detail: string }[];
  readonly undecided: number;
  readonly error?: { readonly detail: string };
}

/** Examines ledgers, and repairs what a restore has torn. */
export const audit: Command = {
  name: 'audit',
  form: '[<audit id>] --tenant ID | --repair [--live]',
  help: [
    '--tenant ID      whose; with --repair one tenant, else all of them',
    '--repair         make what follows from the journal what the journal says, and tell by name',
    '                 what is lost; for restored tables that nobody writes to',
    '--live           repair the tables in use, which TALLYHOOK_RESTORED may name; else the flag',
    '                 --restored says which. Stop all functions before, as the runbook says',
    'Without --repair it begins an audit, or joins the one that runs, waits for its end, and shows',
    'it. The audit goes on without this command: by its id it is waited for again. A dry run shows',
    'that audit, or the latest one, as it is now.',
    'It makes a key of the tenant, by a dry run too, and revokes it at its end; one that is left',
    'behind ends after 15 minutes.',
  ],
  flags: { tenant: 'string', repair: 'boolean', live: 'boolean' },
  wordsMax: 1,
  async run(given, desk) {
    const [auditId] = given.words;
    if (given.has('repair')) {
      if (auditId !== undefined) throw new Refusal('--repair is of no audit: leave its id out');
      return repair(given, desk);
    }
    if (given.has('live')) throw new Refusal('--live goes with --repair');
    return examine(given, auditId, desk);
  },
};

async function examine(given: Given, auditId: string | undefined, desk: Desk): Promise<Outcome> {
  const tenantId = given.text('tenant');
  if (tenantId === undefined) throw new Refusal('say whose: --tenant ID');
  const scopes = ['audit:read', 'audit:write'];
  const ended = await asTenant(
    desk,
    { tenantId, scopes, name: 'npm run ops -- audit' },
    async (tenant) => {
      if (given.has('dry-run')) return auditId ? find(tenant, auditId) : latestOf(tenant);
      return wait(tenant, { tenantId, id: auditId ?? (await begin(tenant, desk)) }, desk);
    },
  );
  if (!ended) desk.print('there was no audit yet');
  else show(ended, desk);
  return !ended || ended.status === 'clean' || ended.status === 'running' ? 'done' : 'person';
}

async function latestOf(tenant: ApiCaller): Promise<Audit | undefined> {
  const { data } = await tenant.call<{ data: Audit[] }>('GET', '/v1/audit?limit=1');
  return data[0];
}

function find(tenant: ApiCaller, id: string): Promise<Audit> {
  return tenant.call('GET', `/v1/audit/${encodeURIComponent(id)}`);
}

/** Begins one, or joins the one that runs, which the conflict names: a list may be behind. */
async function begin(tenant: ApiCaller, { note }: Desk): Promise<string> {
  const begun = await tenant.ask('POST', '/v1/audit');
  const isJoined = begun.status === 409;
  const { code, detail } = begun.body;
  const id = isJoined ? /^aud_\w+/.exec(String(detail))?.[0] : String(begun.body.id);
  if (id === undefined || (begun.status >= 300 && !isJoined)) {
    throw new Refusal(`${code}: ${detail}`);
  }
  note(`${id} ${isJoined ? 'runs already' : 'has begun'}, and goes on without this command`);
  return id;
}

/** Waits through times when nobody answers. */
async function wait(
  tenant: ApiCaller,
  { id, tenantId }: { readonly id: string; readonly tenantId: string },
  { note, sleep, clock }: Desk,
): Promise<Audit> {
  let silentSinceMs = 0;
  for (let polls = 1, failures = 0; ; polls += 1) {
    try {
      const audit = await find(tenant, id);
      if (audit.status !== 'running') return audit;
      failures = 0;
      if (polls % POLLS_PER_NOTE === 0) note(`${id}: ${audit.checked.entries} entries …`);
    } catch (error) {
      if (error instanceof Refused && isFinal(error)) throw error;
      if (failures === 0) silentSinceMs = clock.nowMs();
      failures += 1;
      const reason = reasonOf(error);
      if (clock.nowMs() - silentSinceMs >= SILENCE_MS_MAX) {
        const again = `look again with audit ${id} --tenant ${tenantId}`;
        throw new Refusal(`${id} goes on by itself, but the API is silent (${reason}): ${again}`);
      }
      if (failures % POLLS_PER_NOTE === 0) {
        note(`${id}: no answer for the ${failures}th time (${reason}) …`);
      }
    }
    await sleep(POLL_MS);
  }
}

/** The same would be said again, but for too many requests. */
function isFinal({ status }: Refused): boolean {
  return status >= 400 && status < 500 && status !== 429;
}

function show(audit: Audit, { print }: Desk): void {
  const { id, status, createdAt, checked, violations, offenders, undecided, error } = audit;
  print(`${id} of ${createdAt} is ${status}`);
  const counts = Object.entries(checked).map(([name, count]) => `${count} ${name}`);
  print(`looked at ${counts.join(', ')}`);
  if (undecided > 0) print(`${undecided} totals moved whenever they were added up: audit again`);
  if (error) print(error.detail);
  const found = Object.entries(violations).filter(([, count]) => count > 0);
  if (found.length > 0) print(`violated: ${found.map(([name, n]) => `${name} ${n}`).join(', ')}`);
  for (const line of inColumns(offenders.map((it) => [it.invariant, it.id, it.detail])))
    print(line);
}
