import { randomInt } from 'node:crypto';
import {
  type Count,
  countOlder,
  type RotationStep,
  rotateMasterKey,
} from '../../functions/operations/rotate-master-key.ts';
import { systemClock, systemIds } from '../../functions/shared/system.ts';
import { SECOND_MS } from '../../functions/shared/units.ts';
import { findSecret, listTenants } from '../stack-resources.ts';
import { type Command, type Desk, type Given, type Outcome, Refusal } from './command.ts';
import { readSecret, writeSecret } from './secret.ts';

/** Functions remember a secret for five minutes, and one invocation lasts two at most. */
const WAIT_SECONDS = 420;

/** Gives a secret of the installation another value. */
export const rotate: Command = {
  name: 'rotate',
  form: 'master-key|cursor-key|admin-key',
  help: [
    '--wait SECONDS   master-key: how long functions may work with what they have read',
    `                 (${WAIT_SECONDS}); shorter only while none is running`,
    'master-key: another version, and everything sealed anew with it. It takes a quarter of an',
    'hour, may be stopped at any time, and goes on where it was. Webhooks go out meanwhile.',
    'cursor-key: cursors of lists that are being read are refused within five minutes; their',
    'readers begin again. admin-key: the old one ends within five minutes.',
    'TABLE_CONTROL, TABLE_ENDPOINTS, TABLE_INBOX and SECRET_MASTER_KEY, SECRET_CURSOR_KEY or',
    'SECRET_ADMIN_KEY name them, where the stack does not tell.',
  ],
  flags: { wait: 'string' },
  wordsMax: 1,
  async run(given, desk) {
    const [what] = given.words;
    if (what === 'master-key') return rotateRing(given, desk);
    if (what !== 'cursor-key' && what !== 'admin-key') {
      throw new Refusal('say what to rotate: master-key, cursor-key or admin-key');
    }
    await replace(what, given, desk);
    return 'done';
  },
};

async function rotateRing(given: Given, { at, print, note }: Desk): Promise<Outcome> {
  const wait = given.text('wait') ?? String(WAIT_SECONDS);
  if (!/^\d{1,4}$/.test(wait)) throw new Refusal('--wait is a number of seconds');
  const db = await at.db('control', 'endpoints', 'inbox');
  const id = await findSecret(at.secrets, at.stack, 'master-key');
  const secret = {
    read: () => readSecret(at.secrets, id),
    write: (text: string) => writeSecret(at.secrets, id, text),
  };
  const doors = { clock: systemClock, ids: systemIds, db, secret };
  const world = { ...doors, tenantIds: () => listTenants(db) };
  if (given.has('dry-run')) {
    const count = await countOlder(world);
    print(`${foundInWords(count)}, ${count.older} with something sealed by an older key`);
    return nameLeft(count, note);
  }
  const patienceMs = Number(wait) * SECOND_MS;
  const count = await rotateMasterKey(world, {
    patienceMs,
    tell: (step) => print(inWords(step)),
  });
  return nameLeft(count, note);
}

function nameLeft({ left }: Count, note: Desk['note']): Outcome {
  for (const name of left) note(`${name} cannot be read or opened: see docs/runbook.md`);
  return left.length === 0 ? 'done' : 'person';
}

function inWords(step: RotationStep): string {
  switch (step.kind) {
    case 'added':
      return `version ${step.version} is added; nothing is sealed with it yet`;
    case 'current':
      return `version ${step.version} is current: what is new is sealed with it`;
    case 'waiting':
      return `waiting ${Math.ceil(step.ms / SECOND_MS)} s until every function has read it …`;
    case 'done':
      return `${sealedInWords(step.count)}: all have version ${step.version}`;
    case 'left':
      return `${sealedInWords(step.count)}, ${step.count.left.length} left: not at its end yet`;
  }
}

function foundInWords({ endpoints, sources }: Count): string {
  return `${endpoints} endpoints and ${sources} sources`;
}

function sealedInWords(count: Count): string {
  return `${foundInWords(count)}, ${count.older} sealed anew`;
}

/** As long as those that the stack makes, and of the same characters. */
const LENGTH = 64;
const CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** Nothing stored depends on these two, so that one new value is all. It is never shown. */
async function replace(
  name: 'cursor-key' | 'admin-key',
  given: Given,
  { at, print }: Desk,
): Promise<void> {
  const id = await findSecret(at.secrets, at.stack, name);
  if (given.has('dry-run')) {
    print(`${id} would get another value`);
    return;
  }
  const letters = Array.from({ length: LENGTH }, () => CHARACTERS[randomInt(CHARACTERS.length)]);
  await writeSecret(at.secrets, id, letters.join(''));
  print(`${id} has another value; functions use it within five minutes`);
}
