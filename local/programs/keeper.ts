/**
 * Runs a command for as long as its own standard input stays open. The system closes that when
 * the local cloud ends, `kill -9` included, so that the command never outlives it.
 * Arguments: the file for the process id, the command, and its arguments.
 */
import { spawn } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';

const [pidFile = '', command = '', ...args] = process.argv.slice(2);
const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });

child.on('error', (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
child.on('spawn', () => {
  // In one step: whoever reads half of a process id sends its signal to somebody else.
  writeFileSync(`${pidFile}.new`, String(child.pid));
  renameSync(`${pidFile}.new`, pidFile);
});
child.on('exit', (code) => process.exit(code ?? 1));

process.stdin.resume();
process.stdin.on('close', () => child.kill('SIGKILL'));
