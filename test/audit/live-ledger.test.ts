import { beforeAll, describe, expect, it } from 'vitest';
import { faultsOf, told } from '../ledger/ledger-client.ts';
import { type Dice, diceOf } from '../support/fuzz/dice.ts';
import { type TestWorld, testWorld } from '../support/world.ts';
import { AuditHouse, foundBy, makePast, type Past } from './audit-house.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await testWorld();
});

const currency = 'EUR';

const WORK = ['transfer', 'credit', 'fee', 'hold', 'end', 'reverse', 'open'];

/** What others do to the ledger while it is audited. */
class Teller {
  readonly answers = new Map<string, number>();
  readonly #house: AuditHouse;
  readonly #past: Past;
  readonly #dice: Dice;
  #posted: string[] = [];
  #holds: string[] = [];

  constructor(house: AuditHouse, past: Past, seed: number) {
    this.#house = house;
    this.#past = past;
    this.#dice = diceOf(seed);
  }

  async work(): Promise<void> {
    const what = this.#dice.pick(WORK);
    const answer = await this.#do(what);
    const name = `${what} ${told(answer)}`;
    this.answers.set(name, (this.answers.get(name) ?? 0) + 1);
    if (answer.status === 201 && what === 'hold') this.#holds.push(answer.body.id);
    else if (answer.status === 201 && what !== 'end') this.#posted.push(answer.body.id);
    this.#house.world.clock.advance(7);
  }

  #do(what: string) {
    const { ledger } = this.#house;
    const { a, b, fees } = this.#past;
    const dice = this.#dice;
    const amount = String(1 + dice.below(40));
    const [from, to] = dice.pick([
      [a, b],
      [b, a],
    ]);
    const move = (destinationAccountId: string) => {
      return { sourceAccountId: from, destinationAccountId, amount, currency };
    };
    if (what === 'credit') {
      return ledger.post('/v1/transactions', { type: 'credit', accountId: from, amount, currency });
    }
    if (what === 'fee') {
      return ledger.post('/v1/transactions', { type: 'journal', postings: [move(fees)] });
    }
    if (what === 'hold') {
      const body = { accountId: from, amount, currency, destinationAccountId: to };
      return ledger.post('/v1/holds', body);
    }
    if (what === 'open') return this.#open(amount);
    if (what === 'end' && this.#holds.length > 0) {
      const hold = this.#holds.splice(dice.below(this.#holds.length), 1)[0];
      const isCaptured = dice.chance(0.5);
      if (isCaptured) return ledger.post(`/v1/holds/${hold}/capture`, {});
      return ledger.post(`/v1/holds/${hold}/void`);
    }
    if (what === 'reverse' && this.#posted.length > 0) {
      return ledger.post(`/v1/transactions/${dice.pick(this.#posted)}/reversals`, {});
    }
    return ledger.post('/v1/transactions', { type: 'transfer', ...move(to) });
  }

  /** An account that an audit may see at any point of its beginning: named, moved, frozen. */
  async #open(amount: string) {
    const { ledger } = this.#house;
    const accountId = await ledger.open({ mode: this.#dice.pick(['limited', 'derived']) });
    const terms = { accountId, amount, currency, reference: accountId, description: 'The first' };
    const answer = await ledger.post('/v1/transactions', { type: 'credit', ...terms });
    await ledger.patch(`/v1/accounts/${accountId}`, { name: 'Cold', status: 'frozen' });
    return answer;
  }
}

describe('an audit while others move money', () => {
  it.each([1, 2])('never finds what is not there (seed %i)', async (seed) => {
    const house = new AuditHouse(world);
    const past = await makePast(house);
    await house.settle();
    const tellers = [1, 2, 3].map((it) => new Teller(house, past, 10 * seed + it));
    const audits: Awaited<ReturnType<AuditHouse['find']>>[] = [];
    let waits = 0;
    for (let nth = 0; nth < 2; nth += 1) {
      const { id } = await house.begin();
      for (let [message] = house.messages(); message; [message] = house.messages()) {
        const isLater = (message.atMs ?? 0) > world.clock.nowMs();
        // The projection is behind until somebody has to wait for it.
        if (isLater) await house.project();
        if (isLater) waits += 1;
        const step = house.deliver(message, { rowsMax: 25, timeMaxMs: 20_000 });
        await Promise.all([step, ...tellers.map((it) => it.work())]);
      }
      audits.push(await house.find(id));
    }

    expect(audits.map(foundBy)).toEqual(audits.map(() => ({ counted: [], offenders: [] })));
    expect(audits.map((it) => it.status)).toEqual(['clean', 'clean']);
    expect(waits).toBeGreaterThan(0);
    const done = tellers.flatMap((it) => [...it.answers.keys()]);
    for (const what of ['transfer', 'credit', 'fee', 'hold', 'reverse', 'open']) {
      expect(done).toContain(`${what} 201`);
    }
    await house.settle();
    const last = await house.audit();
    expect(foundBy(last)).toEqual({ counted: [], offenders: [] });
    expect(last.checked.transactions).toBeGreaterThan(audits[0]?.checked.transactions ?? 0);
    expect(await faultsOf(world, house.tenantId)).toEqual([]);
  });
});
