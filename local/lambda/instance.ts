import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import type { LocalLog } from '../log.ts';
import { COMPILE_CACHE, programFile } from '../programs.ts';

/** What a function is, as the template says it. */
export interface FunctionSpec {
  readonly name: string;
  /** The entry under `functions/`, for people: `webhooks/on-outbox`. */
  readonly title: string;
  /** The file of the bundle and the name of its export. */
  readonly file: string;
  readonly exportName: string;
  /** The complete environment; nothing is inherited from this process. */
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly memoryMb: number;
}

/** How a function failed, in the words of Lambda. */
export interface FunctionFailure {
  readonly errorType: string;
  readonly errorMessage: string;
  readonly trace?: readonly string[];
}

export type InvokeResult =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly failure: FunctionFailure };

type Reply =
  | { readonly kind: 'ready' }
  | { readonly kind: 'result'; readonly result?: unknown }
  | { readonly kind: 'failure'; readonly failure: FunctionFailure };

export interface InstanceTools {
  readonly log: LocalLog;
}

/** Against hanging: what takes a second alone takes long where twenty functions start at once. */
const START_MS_MAX = 120_000;

/** One process with the function loaded. It takes one event at a time and never starts again. */
export class Instance {
  /** Resolves to whether the function is loaded; a broken one says why in the log. */
  readonly started: Promise<boolean>;
  readonly #spec: FunctionSpec;
  readonly #log: LocalLog;
  readonly #child: ChildProcess;
  readonly #gone: Promise<void>;
  #answer: ((result: InvokeResult) => void) | undefined;
  #isGone = false;

  constructor(spec: FunctionSpec, { log }: InstanceTools) {
    this.#spec = spec;
    this.#log = log;
    this.#child = fork(programFile('bootstrap'), [spec.file, spec.exportName], {
      env: { ...COMPILE_CACHE, ...spec.environment },
      // Beyond its memory a function is ended, here by V8 and there by Lambda.
      execArgv: [`--max-old-space-size=${spec.memoryMb}`],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // A group of its own, so that Ctrl-C reaches the local cloud alone, which then ends it.
      detached: true,
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream) log.follow(spec.title, stream);
    }
    this.#gone = new Promise((resolve) => this.#child.once('exit', () => resolve()));
    this.started = this.#watch();
  }

  /** Undefined when the process could not be started at all. */
  get processId(): number | undefined {
    return this.#child.pid;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  #watch(): Promise<boolean> {
    return new Promise((resolve) => {
      const late = setTimeout(() => this.kill(), START_MS_MAX);
      this.#child.on('message', (reply: Reply) => {
        if (reply.kind !== 'ready') return this.#settle(resultOf(reply));
        clearTimeout(late);
        resolve(true);
      });
      this.#child.on('error', (error) => this.#log.say(this.#spec.title, error.message));
      this.#child.once('exit', (code, signal) => {
        clearTimeout(late);
        resolve(false);
        const reason = signal ?? `exit code ${code}`;
        if (!this.#isGone) this.#log.say(this.#spec.title, `the instance crashed (${reason})`);
        this.#isGone = true;
        this.#settle({
          ok: false,
          failure: {
            errorType: 'Runtime.ExitError',
            errorMessage: `Runtime exited: ${signal ?? `exit status ${code}`}`,
          },
        });
      });
    });
  }

  /** Runs one event. Never throws: a crash and a missed deadline are failures like any other. */
  invoke(event: unknown): Promise<InvokeResult> {
    const { timeoutMs } = this.#spec;
    return new Promise((resolve) => {
      const deadline = setTimeout(() => {
        const seconds = (timeoutMs / 1_000).toFixed(2);
        const errorMessage = `Task timed out after ${seconds} seconds`;
        this.#log.say(this.#spec.title, errorMessage);
        this.#settle({ ok: false, failure: { errorType: 'Sandbox.Timedout', errorMessage } });
        this.kill();
      }, timeoutMs);
      this.#answer = (result) => {
        clearTimeout(deadline);
        this.#answer = undefined;
        resolve(result);
      };
      const deadlineMs = Date.now() + timeoutMs;
      this.#child.send({ event, requestId: randomUUID(), deadlineMs }, () => undefined);
    });
  }

  #settle(result: InvokeResult): void {
    this.#answer?.(result);
  }

  /** As `kill -9`. Resolves when the process is gone. */
  kill(): Promise<void> {
    this.#isGone = true;
    this.#child.kill('SIGKILL');
    return this.#gone;
  }
}

function resultOf(reply: Exclude<Reply, { kind: 'ready' }>): InvokeResult {
  return reply.kind === 'result'
    ? { ok: true, result: reply.result ?? null }
    : { ok: false, failure: reply.failure };
}
