import { type ExecFileSyncOptionsWithStringEncoding, execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { callAws } from '../aws-call.ts';
import { checkDatabase } from '../database.ts';
import { LocalFailure, messageOf } from '../failure.ts';
import { onFreePort } from '../http/free-port.ts';
import type { LocalLog } from '../log.ts';
import { startKept } from '../programs.ts';
import type { State } from '../state.ts';
import type { Engine } from './engine.ts';
import { type KeptPart, keepRunning, type Run } from './keep-running.ts';
import { indexStreamRecords } from './stream-index.ts';

const EXECUTABLE = process.platform === 'win32' ? 'dynoxide.exe' : 'dynoxide';
/** Against hanging: a busy machine may take half a minute. */
const READY_MS_MAX = 120_000;
const POLL_MS = 10;

export interface DynamoOptions {
  readonly state: State;
  readonly log: LocalLog;
  /** `0` for any free one. */
  readonly wantedPort: number;
  /** Without it only the log is told. */
  readonly giveUp?: KeptPart['giveUp'];
}

/** The engine at AWS_ENDPOINT_URL_DYNAMODB, or dynoxide on the state's file, kept running. */
export async function startDynamo(options: DynamoOptions): Promise<Engine> {
  const external = process.env.AWS_ENDPOINT_URL_DYNAMODB;
  if (external) return { endpoint: external, stop: async () => undefined };

  const { state, log, giveUp = (reason: string) => log.say('dynamodb', reason) } = options;
  return onFreePort(options.wantedPort, async (port) => {
    const endpoint = `http://127.0.0.1:${port}`;
    const run = () => runEngine({ state, log, port, endpoint });
    const stop = await keepRunning({ name: 'dynamodb', run, log, giveUp });
    return { endpoint, stop };
  });
}

interface EngineOptions {
  readonly state: State;
  readonly log: LocalLog;
  readonly port: number;
  readonly endpoint: string;
}

/** One process of the engine, once it answers. */
async function runEngine({ state, log, port, endpoint }: EngineOptions): Promise<Run> {
  const file = state.path('dynamodb.db');
  const pidFile = state.path('dynamodb.pid');
  await endOrphan(pidFile, file);
  checkDatabase(file);

  const command = [findDynoxide(), 'serve', '--port', String(port), '--db-path', file];
  const kept = startKept(pidFile, command);
  const said: string[] = [];
  kept.child.stderr?.on('data', (chunk) => said.push(String(chunk)));
  if (kept.child.stdout) log.follow('dynamodb', kept.child.stdout);
  if (kept.child.stderr) log.follow('dynamodb', kept.child.stderr);

  let hasEnded = false;
  const ended = new Promise<string>((resolve) => {
    kept.child.once('exit', (code, signal) => {
      hasEnded = true;
      resolve(signal ?? `exit code ${code}`);
    });
  });
  if (await untilReady(endpoint, () => hasEnded)) {
    indexStreamRecords(file);
    return { ended, stop: () => kept.stop() };
  }
  await kept.stop();
  const reason = said.join('').trim().split('\n')[0];
  throw new LocalFailure(
    `the DynamoDB engine does not start on ${file} (${reason}); --fresh starts anew`,
  );
}

/** The platform's package of the install, else the command on PATH. */
function findDynoxide(): string {
  const platform = `@dynoxide/${process.platform}-${process.arch}`;
  const found = packageFile(platform) ?? fileOnPath();
  if (found) return found;
  throw new LocalFailure(
    `the local DynamoDB engine is missing: npm install --no-save ${platform}@1.2.1`,
  );
}

function packageFile(name: string): string | undefined {
  try {
    const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
    const file = join(dirname(manifest), EXECUTABLE);
    return existsSync(file) ? file : undefined;
  } catch {
    return undefined;
  }
}

function fileOnPath(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.map((folder) => join(folder, EXECUTABLE)).find((file) => existsSync(file));
}

async function untilReady(endpoint: string, hasEnded: () => boolean): Promise<boolean> {
  const untilMs = Date.now() + READY_MS_MAX;
  while (Date.now() < untilMs && !hasEnded()) {
    try {
      await callAws({ endpoint, service: 'dynamodb' }, 'ListTables', {});
      return true;
    } catch {
      await sleep(POLL_MS);
    }
  }
  return false;
}

/**
 * Ends an engine that an earlier local cloud left behind, as when somebody killed every Node
 * process: two engines must never share one file. The process must name the file to be ended.
 */
async function endOrphan(pidFile: string, file: string): Promise<void> {
  if (!existsSync(pidFile)) return;
  const pid = Number(readFileSync(pidFile, 'utf8'));
  while (pid > 0 && commandOf(pid).includes(file)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      throw new LocalFailure(`process ${pid} holds ${file}: ${messageOf(error)}`);
    }
    await sleep(POLL_MS);
  }
}

/** The command line of a process; empty when there is none, or on systems without `ps`. */
function commandOf(pid: number): string {
  try {
    const options: ExecFileSyncOptionsWithStringEncoding = { encoding: 'utf8', stdio: 'pipe' };
    return execFileSync('ps', ['-o', 'args=', '-p', String(pid)], options);
  } catch {
    return '';
  }
}
