import { createWriteStream, fstatSync, ftruncateSync } from 'node:fs';

const STDOUT = 1;

/**
 * Standard output, without the lines that `npm run` writes there before it starts a script. Where
 * they went into a file (`npm run make-file > users.csv`) they are taken out again; where they
 * are beyond reach, as in a pipe, standard error says how to avoid them.
 */
export function openOutput(env: NodeJS.ProcessEnv): NodeJS.WritableStream {
  const banner = npmBanner(env, process.argv.slice(2));
  if (banner === '') return process.stdout;

  const output = fstatSync(STDOUT);
  if (output.isFile() && output.size === Buffer.byteLength(banner)) {
    ftruncateSync(STDOUT, 0);
    // Positions are given, because the place that the shell shares with npm stays behind them.
    return createWriteStream('', { fd: STDOUT, start: 0 });
  }
  if (!process.stdout.isTTY) {
    console.error('npm has written lines of its own first: use npm run --silent make-file');
  }
  return process.stdout;
}

/** What `npm run` prints before this script, or nothing when it does not or did not start it. */
function npmBanner(env: NodeJS.ProcessEnv, args: readonly string[]): string {
  const { npm_lifecycle_event: event, npm_lifecycle_script: script } = env;
  if (!event || !script || env.npm_config_loglevel === 'silent') return '';
  const title = `${env.npm_package_name}@${env.npm_package_version} ${event}`;
  return `\n> ${title}\n> ${[script, ...args].join(' ')}\n\n`;
}
