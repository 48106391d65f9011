import { STACK_TABLES } from '../stack-resources.ts';
import type { Command } from './command.ts';

/** Names the tables, one to a line, for the loops of the runbook. */
export const tables: Command = {
  name: 'tables',
  form: '',
  help: ['A line for each table that a backup restores: what it is, and what it is called.'],
  flags: {},
  wordsMax: 0,
  async run(_given, { at, print }) {
    const names = await at.tables(STACK_TABLES);
    for (const table of STACK_TABLES) print(`${table} ${names[table]}`);
    return 'done';
  },
};
