import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
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

describe('an audit of a true history', () => {
  it('finds nothing, and counts what it has looked at', async () => {
    const audit = await house.audit();

    expect(foundBy(audit)).toEqual({ counted: [], offenders: [] });
    expect(audit).toMatchObject({ status: 'clean', undecided: 0, dueMs: undefined });
    const [ledger, statements] = [await house.items('ledger'), await house.items('statements')];
    const count = (prefix: string) =>
      ledger.filter((it) => String(it.id).startsWith(prefix)).length;
    const posted = ledger.filter((it) => it.status === 'posted').length;
    expect(audit.checked).toEqual({
      accounts: count('acc_'),
      entries: statements.filter((it) => it.sk !== 'TOTAL').length,
      transactions: posted,
      holds: count('hld_') + count('rel_'),
      events: posted + count('hld_') + count('rel_'),
    });
    expect(house.alarms).toEqual([]);
    expect(past.pending).toMatch(/^hld_/);
  });
});
