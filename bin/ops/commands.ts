import type { Command } from './command.ts';

/** A command on the list. */
export interface Listed {
  readonly name: string;
  readonly summary: string;
  /** Each is loaded when it is called: together they are most of the product. */
  readonly load: () => Promise<Command>;
}

/** All commands, in the order of the help. */
export const COMMANDS: readonly Listed[] = [
  {
    name: 'doctor',
    summary: 'is a person needed, and what for? Reads only',
    load: async () => (await import('./doctor.ts')).doctor,
  },
  {
    name: 'redrive',
    summary: 'send the dead letters of a queue to it again',
    load: async () => (await import('./redrive.ts')).redrive,
  },
  {
    name: 'drop',
    summary: 'delete dead letters for good, with a reason',
    load: async () => (await import('./drop.ts')).drop,
  },
  {
    name: 'resend',
    summary: 'send webhooks again: one, those of an event, or those of an endpoint',
    load: async () => (await import('./resend.ts')).resend,
  },
  {
    name: 'rebuild',
    summary: 'make the statements anew from the journal; file again what was given up',
    load: async () => (await import('./rebuild.ts')).rebuild,
  },
  {
    name: 'rotate',
    summary: 'replace a key of the installation',
    load: async () => (await import('./rotate.ts')).rotate,
  },
  {
    name: 'tables',
    summary: 'what each table is called',
    load: async () => (await import('./tables.ts')).tables,
  },
  {
    name: 'audit',
    summary: 'hold a ledger against its invariants; repair what a restore has torn',
    load: async () => (await import('./audit.ts')).audit,
  },
];
