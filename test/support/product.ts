import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { until } from './until.ts';

/** The product as a newcomer starts it: `npm start`, in processes of its own. */
export interface Product {
  readonly apiUrl: string;
  readonly adminKey: string;
  readonly dynamodbUrl: string;
  readonly sqsUrl: string;
  /** What it printed until it was ready. */
  readonly printed: readonly string[];
  /** All of its processes at once, as a power cut would. */
  killAll(): Promise<void>;
  /** Ctrl-C; resolves to the exit code when every process is gone. */
  interrupt(): Promise<number | null>;
}

/** Starts it on a free port and waits until it says that it is ready. */
export async function startProduct(
  stateDir: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<Product> {
  const child = spawn('node', ['local/start.ts', '--port', '0', '--state', stateDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...environment },
  });
  const printed: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => printed.push(line));
  const pid = child.pid;
  if (pid === undefined) throw new Error('the product did not start');
  const find = (pattern: RegExp) => printed.map((it) => it.match(pattern)?.[1]).find(Boolean);
  await until(
    () => [child.exitCode, find(/DynamoDB +(\S+)/)],
    ([code, address]) => code !== null || address !== undefined,
  );
  const said = (pattern: RegExp) => find(pattern) ?? '';
  return {
    apiUrl: said(/^ +API +(\S+)/),
    adminKey: said(/^ +admin key +(\S+)/),
    dynamodbUrl: said(/DynamoDB +(\S+)/),
    sqsUrl: said(/SQS +(\S+)/),
    printed,
    killAll: () => killAll(child, pid),
    interrupt: async () => {
      const processes = descendantsOf(pid);
      child.kill('SIGINT');
      const [code] = (await once(child, 'exit')) as [number | null];
      await until(
        () => processes.filter(isAlive),
        (alive) => alive.length === 0,
      );
      return code;
    },
  };
}

async function killAll(child: ChildProcess, pid: number): Promise<void> {
  const processes = [pid, ...descendantsOf(pid)];
  const gone = once(child, 'exit');
  for (const pid of processes) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended by itself in the meantime.
    }
  }
  await gone;
  await until(
    () => processes.filter(isAlive),
    (alive) => alive.length === 0,
  );
}

/** Every process below this one. */
function descendantsOf(pid: number): number[] {
  const table = execFileSync('ps', ['-eo', 'pid=,ppid=,stat='], { encoding: 'utf8' });
  const rows = table
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  const childrenOf = (parent: number): number[] =>
    rows
      .filter(([, ppid]) => Number(ppid) === parent)
      .flatMap(([child]) => [Number(child), ...childrenOf(Number(child))]);
  return childrenOf(pid);
}

function isAlive(pid: number): boolean {
  try {
    const state = execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' });
    return !state.startsWith('Z');
  } catch {
    return false;
  }
}
