import { describe, expect, it } from 'vitest';
import { audit } from '../../bin/ops/audit.ts';
import { type TestWorld, testWorld } from '../support/world.ts';
import { runOn } from './desk.ts';

async function repair(world: TestWorld, ...args: readonly string[]): Promise<string[]> {
  const lines: string[] = [];
  const print = (line: string) => void lines.push(line);
  await runOn(world, { command: audit, print }, ['--repair', ...args]);
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
});
