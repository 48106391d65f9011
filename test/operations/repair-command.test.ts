import { describe, expect, it } from 'vitest';
import { audit } from '../../bin/ops/audit.ts';
import { ledgerClient } from '../ledger/ledger-client.ts';
import { newTenant, type TestWorld, testWorld } from '../support/world.ts';
import { runOn } from './desk.ts';

const notes: string[] = [];

async function repair(world: TestWorld, ...args: readonly string[]): Promise<string[]> {
  const lines: string[] = [];
  const print = (line: string) => void lines.push(line);
  const note = (line: string) => void notes.push(line);
  await runOn(world, { command: audit, print, note }, ['--repair', ...args]);
  return lines;
}

describe('audit --repair', () => {
  it.each([[[]], [['--dry-run']]])('refuses %j without a word which tables', async (args) => {
    const world = await testWorld();
    await expect(repair(world, ...args)).rejects.toThrow(
      'say which tables: --restored NAME, or --live for those in use',
    );
  });

  it('says of tables in use what its losses are worth', async () => {
    const world = await testWorld();
    const inUse = /^The tables are in use\. What moves meanwhile looks lost/;
    expect((await repair(world, '--dry-run', '--live'))[0]).toMatch(inUse);
    const [first] = await repair(world, '--dry-run', '--restored', 'Tallyhook-r1');
    expect(first).toBe('would be put right: nothing');
  });

  it('repairs a tenant whom the tables have lost', async () => {
    const world = await testWorld();
    const tenantId = newTenant(world);
    await ledgerClient(world, tenantId).open({}, '500');
    const tables = ['--restored', 'Tallyhook-r1'];
    const lines = await repair(world, ...tables, '--tenant', tenantId);
    expect(notes).toContain(`${tenantId} is not listed as a tenant, and is repaired all the same`);
    // Its lines have not come through the stream of this test.
    expect(lines).toEqual(['put right:', '  2  missing line', 'lost: nothing']);
  });

  it('refuses what is the id of no tenant', async () => {
    const args = ['--restored', 'Tallyhook-r1', '--tenant', 'K#1'];
    await expect(repair(await testWorld(), ...args)).rejects.toThrow('there is no tenant K#1');
  });
});
