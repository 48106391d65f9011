import { type Command, type Desk, readFlags } from '../../bin/ops/command.ts';
import type { Installation } from '../../bin/ops/installation.ts';
import type { TestWorld } from '../support/world.ts';

type Doors = Pick<TestWorld, 'client' | 'tables' | 'db' | 'clock'>;

interface Heard extends Pick<Desk, 'print'>, Partial<Pick<Desk, 'note'>> {
  readonly command: Command;
}

/** Runs a command as an operator gives it, on the tables of this world. `print` hears its lines. */
export function runOn(
  { client, tables, db, clock }: Doors,
  { command, print, note = () => undefined }: Heard,
  args: readonly string[],
) {
  const at = {
    dynamodb: client,
    tables: async () => tables,
    db: async () => db,
  } as unknown as Installation;
  const desk: Desk = { at, print, note, sleep: clock.sleep, clock };
  return command.run(readFlags(command, args), desk);
}
