import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Finding } from '../../functions/audit/audit.ts';
import { eventKey } from '../../functions/events/event.store.ts';
import { accountKey, externalIdKey } from '../../functions/ledger/account.store.ts';
import {
  insertReversal,
  journalKey,
  reversalKey,
} from '../../functions/ledger/transaction.store.ts';
import { shardOf } from '../../functions/shared/ids/derive.ts';
import type { Item } from '../../functions/shared/world.ts';
import { type TestWorld, testWorld } from '../support/world.ts';
import { AuditHouse, foundBy, makePast, type Past } from './audit-house.ts';

let world: TestWorld;
let house: AuditHouse;
let past: Past;
beforeAll(async () => {
  world = await testWorld();
});
beforeEach(async () => {
  house = new AuditHouse(world);
  past = await makePast(house);
  await house.settle();
});

type Legs = readonly Item[];

/** Changes the leg of a record on an account. */
const leg = (id: string, accountId: string, more: Item) =>
  house.tamperRecord(id, (item) => ({
    ...item,
    ...(item.leg !== undefined && { leg: { ...Object(item.leg), ...more } }),
    ...(item.legs !== undefined && {
      legs: (item.legs as Legs).map((it) => (it.acc === accountId ? { ...it, ...more } : it)),
    }),
  }));

const account = (id: string, more: (item: Item) => Item) =>
  house.tamper('ledger', accountKey(house.tenantId, id), (item) => ({ ...item, ...more(item) }));

const record = (id: string, more: Item) => house.tamperRecord(id, (item) => ({ ...item, ...more }));

const line = async (accountId: string, seq: number, more: Item | undefined) =>
  house.tamper('statements', await house.lineKey(accountId, seq), (item) =>
    more ? { ...item, ...more } : undefined,
  );

/** A copy of a record under another id. */
async function copy(id: string, copyId: string, more: Item = {}): Promise<string> {
  const item = await world.db.get('ledger', journalKey(house.tenantId, id));
  const { pk } = journalKey(house.tenantId, copyId);
  const listingSk = String(item?.listingSk).replace(id, copyId);
  const made = { ...item, pk, sk: '#', id: copyId, listingSk, ...more };
  await world.db.commit([{ kind: 'put', table: 'ledger', item: made }]);
  return copyId;
}

/** Says of a transaction that it was reversed. */
const mark = (id: string, reversalId: string) =>
  world.db.commit([insertReversal(house.tenantId, id, reversalId)]);

/** What was posted by the fault itself. */
let posted = '';
async function post(body: object): Promise<void> {
  const money = { amount: '5', currency: 'EUR' };
  const answer = await house.ledger.post('/v1/transactions', { ...money, ...body });
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  posted = answer.body.id;
  await house.settle();
}

/** Takes an account away with its name. */
async function removeAccount(id: string): Promise<void> {
  const { pk, sk } = accountKey(house.tenantId, id);
  for (const key of [
    { pk, sk },
    { pk, sk: 'M' },
  ]) {
    await house.tamper('ledger', key, () => undefined);
  }
}

const UNLISTED = { listingPk: undefined, listingSk: undefined };

/** Changes the first amount that the event of a record names: that of all of it. */
const headline = async (id: string, amount: string) =>
  house.tamper('outbox', await house.eventKeyOf(id), ({ data, ...item }) => ({
    ...item,
    data: String(data).replace(/"amount":"\d+"/, `"amount":"${amount}"`),
  }));

interface Planted {
  readonly what: string;
  readonly plant: () => Promise<unknown>;
  /** Invariants and ids, each once; each violation is named by one of them. */
  readonly caught: () => readonly string[];
}

const FAULTS: readonly Planted[] = [
  {
    what: 'the amount of a leg',
    plant: () => leg(past.transfer, past.a, { amount: -299 }),
    caught: () => [`L1 ${past.transfer}`, `L3 ${past.transfer}`, `O1 ${past.transfer}`],
  },
  {
    what: 'the amounts of both legs, so that they sum to zero',
    plant: async () => {
      await leg(past.transfer, past.a, { amount: -299 });
      await leg(past.transfer, past.b, { amount: 299 });
    },
    caught: () => [`L1 ${past.transfer}`, `L3 ${past.transfer}`, `O1 ${past.transfer}`],
  },
  {
    what: 'the balance after an entry',
    plant: () => leg(past.transfer, past.b, { bal: 1 }),
    caught: () => [`L3 ${past.transfer}`, `O1 ${past.transfer}`],
  },
  {
    what: 'a link of the hash chain',
    plant: () => leg(past.journal, past.a, { hash: 'made-up' }),
    caught: () => [`L3 ${past.journal}`, `O1 ${past.journal}`],
  },
  {
    what: 'the hash of a release',
    plant: async () => {
      const hold = await world.db.get('ledger', journalKey(house.tenantId, past.voided));
      await leg(String(hold?.release), past.a, { hash: 'made-up' });
    },
    caught: () => [expect.stringMatching(/^L3 rel_/), expect.stringMatching(/^O1 rel_/)],
  },
  {
    what: 'the credits of a stored account',
    plant: () => account(past.a, ({ cr }) => ({ cr: Number(cr) + 5 })),
    caught: () => [`L3 ${past.a}`],
  },
  {
    what: 'credits and debits of a stored account alike',
    plant: () => account(past.a, ({ cr, dr }) => ({ cr: Number(cr) + 5, dr: Number(dr) + 5 })),
    caught: () => [`L3 ${past.a}`],
  },
  {
    what: 'what conditions look at: the available amount',
    plant: () => account(past.a, ({ avail }) => ({ avail: Number(avail) + 5 })),
    caught: () => [`L3 ${past.a}`],
  },
  {
    what: 'what conditions look at: the room below the maximum',
    plant: () => account(past.b, ({ room }) => ({ room: Number(room) + 5 })),
    caught: () => [`L3 ${past.b}`],
  },
  {
    what: 'what is held on a stored account',
    plant: () => account(past.a, ({ held }) => ({ held: Number(held) - 100 })),
    caught: () => [`L3 ${past.a}`],
  },
  {
    what: 'the head of the hash chain',
    plant: () => account(past.b, () => ({ hash: 'made-up' })),
    caught: () => [`L3 ${past.b}`],
  },
  {
    what: 'a balance stored on a derived account',
    plant: () => account(past.fees, () => ({ cr: 1 })),
    caught: () => [`L3 ${past.fees}`],
  },
  {
    what: 'an account that is gone with its money',
    plant: () => removeAccount(past.b),
    caught: () => [`L3 ${past.b}`],
  },
  {
    what: 'a balance that is gone, and its name is there',
    plant: () => house.tamper('ledger', accountKey(house.tenantId, past.b), () => undefined),
    caught: () => [`L3 ${past.b}`],
  },
  {
    what: 'a derived account that is gone',
    plant: () => removeAccount(past.fees),
    caught: () => [`L3 ${past.fees}`],
  },
  {
    what: 'the balance of an account that no list has',
    plant: () => account(past.a, ({ cr }) => ({ cr: Number(cr) + 5, ...UNLISTED })),
    caught: () => [`L3 ${past.a}`],
  },
  {
    what: 'an account whose place in the list is that of another time',
    plant: () => account(past.a, ({ listingSk }) => ({ listingSk: `9${listingSk}` })),
    caught: () => [`L3 ${past.a}`],
  },
  {
    what: 'the currency of a stored account, and what moved it then',
    plant: async () => {
      await account(past.b, () => ({ ccy: 'USD' }));
      await post({ type: 'credit', accountId: past.b, currency: 'USD' });
    },
    caught: () => [`L3 ${past.transfer}`, `L3 ${posted}`],
  },
  {
    what: 'a derived account that says that it is limited',
    plant: () => account(past.fees, () => ({ mode: 'limited' })),
    caught: () => [`L3 ${past.fees}`],
  },
  {
    what: 'an account that says that it is of another tenant',
    plant: () => account(past.b, () => ({ tenant: 'ten_other' })),
    caught: () => [`L3 ${past.b}`],
  },
  {
    what: 'an account below its minimum',
    plant: async () => {
      // As if the condition of its last entry had not held: only 100 less was wanted.
      await account(past.poor, ({ avail }) => ({ min: 0, avail: Number(avail) - 100 }));
      const available = (bal: number) => ({ avail: bal });
      await leg(past.debits[0] ?? '', past.poor, available(10));
      await leg(past.debits[1] ?? '', past.poor, available(-90));
      await line(past.poor, 1, available(10));
      await line(past.poor, 2, available(-90));
    },
    caught: () => [`L2 ${past.debits[1]}`],
  },
  {
    what: 'an account above its maximum',
    plant: () =>
      account(past.b, ({ cr, dr }) => ({ max: 377, room: 377 - Number(cr) + Number(dr) })),
    caught: () => [`L2 ${past.capture}`],
  },
  {
    what: 'a line that is missing in a statement',
    plant: () => line(past.a, 2, undefined),
    caught: () => [`L3 ${past.a}`, `L3 ${past.transfer}`],
  },
  {
    what: 'the last line of a statement',
    plant: async () => {
      const stored = await world.db.get('ledger', accountKey(house.tenantId, past.b));
      await line(past.b, Number(stored?.seq), undefined);
    },
    caught: () => [`L3 ${past.b}`, `L3 ${past.capture}`],
  },
  {
    what: 'a line that says something else',
    plant: () => line(past.a, 2, { amount: -301 }),
    caught: () => [`L3 ${past.transfer}`],
  },
  {
    what: 'a line that names another transaction',
    plant: () => line(past.a, 2, { txn: past.journal }),
    caught: () => [`L4 ${past.journal}`, `L3 ${past.transfer}`],
  },
  {
    what: 'a line of an entry that there is not',
    plant: async () => {
      const { pk } = await house.lineKey(past.a, 2);
      const sk = `${world.clock.nowMs()}#${'99'.padStart(16, '0')}`;
      const item = { pk, sk, type: 'credit', amount: 1, bal: 1, avail: 1, txn: INVENTED };
      await world.db.commit([{ kind: 'put', table: 'statements', item }]);
    },
    caught: () => [`L3 ${INVENTED}`],
  },
  {
    what: 'a line of a derived account that says something else',
    plant: async () => {
      const isIt = ({ pk, sk }: Item) => String(pk).includes(past.fees) && sk !== 'TOTAL';
      const found = (await house.items('statements')).find(isIt);
      const key = { pk: String(found?.pk), sk: String(found?.sk) };
      await house.tamper('statements', key, (item) => ({ ...item, amount: 4 }));
    },
    caught: () => [`L3 ${past.journal}`, `L3 ${past.fees}`],
  },
  {
    what: 'the total of a derived account',
    plant: async () => {
      const isIt = ({ pk, sk }: Item) => String(pk).includes(past.fees) && sk === 'TOTAL';
      const found = (await house.items('statements')).find(isIt);
      const key = { pk: String(found?.pk), sk: 'TOTAL' };
      await house.tamper('statements', key, (item) => ({ ...item, sum: 4 }));
    },
    caught: () => [`L3 ${past.fees}`],
  },
  {
    what: 'an entry of the journal beside the chain',
    plant: () => copy(past.transfer, INVENTED),
    caught: () => [`L3 ${INVENTED}`, `O1 ${INVENTED}`],
  },
  {
    what: 'an entry that is gone from the journal',
    plant: () => house.tamperRecord(past.transfer, () => undefined),
    caught: () => [`L3 ${past.transfer}`, expect.stringMatching(/^O1 evt_/)],
  },
  {
    what: 'an entry that lies where its key does not find it',
    plant: () => record(past.transfer, { id: INVENTED }),
    caught: () => [
      `L3 ${past.transfer}`,
      `L4 ${INVENTED}`,
      `L3 ${INVENTED}`,
      `O1 ${INVENTED}`,
      expect.stringMatching(/^O1 evt_/),
    ],
  },
  {
    what: 'an entry that cannot be read',
    plant: () => record(past.transfer, { legs: 'none' }),
    caught: () => [`L3 ${past.transfer}`, expect.stringMatching(/^O1 evt_/)],
  },
  {
    what: 'a hold that is resolved twice',
    plant: async () => {
      const hold = await world.db.get('ledger', journalKey(house.tenantId, past.voided));
      await copy(String(hold?.release), SECOND, { hold: past.captured });
    },
    caught: () => [`L5 ${past.captured}`, `L3 ${SECOND}`, `O1 ${SECOND}`],
  },
  {
    what: 'more captured than was held',
    plant: () => record(past.captured, { captured: 101 }),
    caught: () => [`L5 ${past.captured}`],
  },
  {
    what: 'a hold that is pending again',
    plant: () => record(past.voided, { status: 'pending', release: undefined }),
    caught: () => [`L5 ${past.voided}`, `L4 ${past.voided}`, expect.stringMatching(/^O1 evt_/)],
  },
  {
    what: 'a reversal that is not exactly negative',
    plant: async () => {
      await leg(past.reversal, past.a, { amount: -49 });
      await leg(past.reversal, past.b, { amount: 49 });
    },
    caught: () => [
      `L1 ${past.reversal}`,
      `L3 ${past.reversal}`,
      `L5 ${past.reversal}`,
      `O1 ${past.reversal}`,
    ],
  },
  {
    what: 'a second reversal',
    plant: () => copy(past.reversal, INVENTED),
    caught: () => [`L5 ${INVENTED}`, `L3 ${INVENTED}`, `O1 ${INVENTED}`],
  },
  {
    what: 'a reversal of which the original does not know',
    plant: () =>
      house.tamper('ledger', reversalKey(house.tenantId, past.reversed), () => undefined),
    caught: () => [`L5 ${past.reversal}`],
  },
  {
    what: 'a reversal that is marked, and was never posted',
    plant: () => mark(past.transfer, INVENTED),
    caught: () => [`L5 ${past.transfer}`],
  },
  {
    what: 'a transaction that is marked as reversed by the reversal of another one',
    plant: () => mark(past.transfer, past.reversal),
    caught: () => [`L5 ${past.transfer}`],
  },
  {
    what: 'a reversal that is gone, with all that it has done',
    plant: () => house.tamperRecord(past.reversal, () => undefined),
    caught: () => [`L3 ${past.reversal}`, expect.stringMatching(/^O1 evt_/), `L5 ${past.reversed}`],
  },
  {
    what: 'a transaction that no list has',
    plant: () => record(past.journal, UNLISTED),
    caught: () => [`L3 ${past.journal}`],
  },
  {
    what: 'a transaction of the world and a derived account that no list has',
    plant: async () => {
      await post({ type: 'credit', accountId: past.fees });
      await record(posted, UNLISTED);
    },
    caught: () => [`L3 ${posted}`],
  },
  {
    what: 'a transaction that its reference does not find',
    plant: () => record(past.journal, { referencePk: undefined, referenceSk: undefined }),
    caught: () => [`L3 ${past.journal}`],
  },
  {
    what: 'the description of a transaction',
    plant: () => record(past.journal, { description: 'Another order' }),
    caught: () => [`O1 ${past.journal}`],
  },
  {
    what: 'a hold that is in the list of another tenant',
    plant: () => record(past.pending, { listingPk: 'ten_other#H#pending' }),
    caught: () => [`L3 ${past.pending}`],
  },
  {
    what: 'an account without its name',
    plant: () => {
      const { pk } = accountKey(house.tenantId, past.b);
      return house.tamper('ledger', { pk, sk: 'M' }, () => undefined);
    },
    caught: () => [`L3 ${past.b}`],
  },
  {
    what: 'a name that no list has',
    plant: () => {
      const { pk } = accountKey(house.tenantId, past.b);
      return house.tamper('ledger', { pk, sk: 'M' }, (item) => ({ ...item, ...UNLISTED }));
    },
    caught: () => [`L3 ${past.b}`],
  },
  {
    what: 'an external id that finds no account',
    plant: () => house.tamper('ledger', externalIdKey(house.tenantId, 'fees'), () => undefined),
    caught: () => [`L3 ${past.fees}`],
  },
  {
    what: 'an external id that finds another account',
    plant: () =>
      house.tamper('ledger', externalIdKey(house.tenantId, 'fees'), (item) => ({
        ...item,
        account: past.b,
      })),
    caught: () => [`L3 ${past.fees}`],
  },
  {
    what: 'an event that is missing',
    plant: async () =>
      house.tamper('outbox', await house.eventKeyOf(past.transfer), () => undefined),
    caught: () => [`O1 ${past.transfer}`],
  },
  {
    what: 'an event that tells of other amounts',
    plant: async () =>
      house.tamper('outbox', await house.eventKeyOf(past.transfer), ({ data, ...item }) => ({
        ...item,
        data: String(data).replaceAll('"300"', '"3000"'),
      })),
    caught: () => [`O1 ${past.transfer}`],
  },
  {
    what: 'an event of a transaction that names an amount of its own',
    plant: () => headline(past.transfer, '3000'),
    caught: () => [`O1 ${past.transfer}`],
  },
  {
    what: 'an event of a hold that names an amount of its own',
    plant: () => headline(past.pending, '5000'),
    caught: () => [`O1 ${past.pending}`],
  },
  {
    what: 'an event of a capture that names an amount of its own',
    plant: () => headline(past.capture, '5000'),
    caught: () => [`O1 ${past.capture}`],
  },
  {
    what: 'an event that was invented',
    plant: async () => {
      const { pk, sk } = await house.eventKeyOf(past.transfer);
      const item = await world.db.get('outbox', { pk, sk });
      // Another chance behind the same time: ids of one moment differ in their last letters only.
      const [, time = '', first, rest] = /^(evt_.{10})(.)(.*)$/.exec(String(item?.id)) ?? [];
      const id = `${time}${first === '0' ? '1' : '0'}${rest}`;
      const listingPk = `${house.tenantId}#${shardOf(id, 4)}`;
      const made = { ...item, ...eventKey(house.tenantId, id), id, listingPk, listingSk: id };
      await world.db.commit([{ kind: 'put', table: 'outbox', item: made }]);
    },
    caught: () => [expect.stringMatching(/^O1 evt_/)],
  },
];

const INVENTED = `txn_${'7'.repeat(26)}`;
const SECOND = `rel_${'6'.repeat(26)}`;

describe('an audit', () => {
  it.each(FAULTS)('catches $what', async ({ plant, caught }) => {
    await plant();

    const audit = await house.audit();

    expect(audit.status).toBe('violated');
    const found = [...new Set(foundBy(audit).offenders)].toSorted();
    const said = audit.offenders.map(({ id, detail }: Finding) => `${id}: ${detail}`).join('\n');
    expect(found, said).toHaveLength(caught().length);
    expect(found, said).toEqual(expect.arrayContaining([...caught()]));
    expect(house.alarms).toEqual([audit.offenders.length]);
  });
});
