/** `npm run ops -- <command>`: what an operator does by hand. */
import { systemClock } from '../functions/shared/system.ts';
import { type Command, type Desk, Refusal, readFlags } from './ops/command.ts';
import { COMMANDS } from './ops/commands.ts';
import { openInstallation, WHERE } from './ops/installation.ts';
import { reasonOf } from './ops/reason-of.ts';
import { inColumns } from './ops/rows.ts';

const EXIT = { done: 0, person: 1 } as const;

const print = (line: string) => void process.stdout.write(`${line}\n`);
const note = (line: string) => void process.stderr.write(`${line}\n`);

function overview(): string {
  const rows = COMMANDS.map(({ name, summary }) => [`  ${name}`, summary]);
  return [
    'Usage: npm run ops -- <command> [options]',
    ...inColumns(rows),
    'Each has --help, and --dry-run, which only looks. Where that needs a key of the tenant, one',
    'is made for the command, and revoked at its end. They work on the local cloud of this machine',
    'unless --aws is given. Exit code 1: a person is needed. 2: it could not be done.',
  ].join('\n');
}

function usageOf({ name, form, help }: Command): string {
  return [
    `Usage: npm run ops -- ${[name, form].join(' ').trim()} [options]`,
    ...help.map((it) => `  ${it}`),
    '  --dry-run        say what it would do, and do none of it',
    ...WHERE.map((it) => `  ${it}`),
    '  --help           this text',
    'docs/runbook.md says when it is needed.',
  ].join('\n');
}

/** What is tried by those who do not know what to say. */
function isAsking(word = 'help'): boolean {
  return ['help', '--help', '-h'].includes(word);
}

async function main([name, ...args]: readonly string[]): Promise<number> {
  const listed = COMMANDS.find((it) => it.name === name);
  if (!listed) {
    const [about] = args;
    if (isAsking(name) && !isAsking(about)) return main([String(about), '--help']);
    if (isAsking(name)) print(overview());
    else throw new Refusal(`there is no command ${name}; --help lists them`);
    return 0;
  }
  const command = await listed.load();
  const given = readFlags(command, args);
  if (given.has('help')) {
    print(usageOf(command));
    return 0;
  }
  const at = openInstallation(given, process.env, note);
  const desk: Desk = { at, print, note, sleep: systemClock.sleep, clock: systemClock };
  return EXIT[await command.run(given, desk)];
}

// A repair prints what is lost before it changes anything: unread, it must not go on.
process.stdout.on('error', (error) => {
  note(`ops: nobody takes what it prints (${reasonOf(error)})`);
  process.exit(2);
});
process.stderr.on('error', () => process.exit(2));

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  note(`ops: ${reasonOf(error)}`);
  process.exitCode = 2;
}
