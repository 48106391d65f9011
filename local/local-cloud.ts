import { type Deployment, deploy } from './deployment.ts';
import { watchDropFolder } from './drop-folder.ts';
import type { Endpoints } from './functions.ts';
import { openLog } from './log.ts';
import { openApi, startServices } from './services.ts';
import { openState } from './state.ts';
import { type Assembly, type Egress, synthesise } from './synthesise.ts';
import { together, Undo } from './undo.ts';

export interface LocalCloudOptions {
  /** The API's port; `0`, the default, takes any free one. */
  readonly port?: number;
  /** Where everything is kept. Only one local cloud can use it at a time. */
  readonly stateDir: string;
  /** Removes what the state holds, before the start. */
  readonly fresh?: boolean;
  /** The admin key; else the kept one, else a new one. */
  readonly adminKey?: string | undefined;
  /** `public` forbids receivers on this machine, as in AWS. */
  readonly egress?: Egress;
  /** Keeps the terminal free of what goes to the log. */
  readonly quiet?: boolean;
  /** Instances of all functions together; else four per core. Beyond it idle ones end. */
  readonly instancesMax?: number | undefined;
  /** Another stack than the project's own, as tests have it. */
  readonly assembly?: Assembly;
}

/** The stack, running on this machine. Any number can run side by side, each with its state. */
export interface LocalCloud {
  readonly apiUrl: string;
  /** Empty when the stack has no secret for it. */
  readonly adminKey: string;
  /** Where files are dropped. Empty when the stack has no bucket. */
  readonly bucket: string;
  readonly endpoints: Endpoints;
  readonly logFile: string;
  /** The value of a variable that some function was deployed with: `TABLE_LEDGER`. */
  variable(name: string): string;
  /** The physical name of a table: `ledger`. */
  table(name: string): string;
  /** The URL of a queue: `delivery-fast`. */
  queue(name: string): string;
  /** Calls a function as its trigger would: `files/on-block`. Never throws. */
  invoke: Deployment['invoke'];
  /** The process ids of a function's instances: `files/on-block`. */
  instances: Deployment['instances'];
  /** Kills all instances of a function at once, as `kill -9`. Answers how many there were. */
  killInstances: Deployment['killInstances'];
  /** Resolves, to the reason, when a part is gone for good and nothing works any more. */
  readonly broken: Promise<string>;
  /** Ends everything that was started; the state stays. */
  stop(): Promise<void>;
}

/**
 * Synthesises the stack, makes its resources and runs its functions. Throws `LocalFailure` with
 * one line for people when something is in the way, and then leaves nothing behind.
 */
export async function startLocalCloud(options: LocalCloudOptions): Promise<LocalCloud> {
  const undo = new Undo();
  try {
    return await start(options, undo);
  } catch (error) {
    await undo.run().catch(() => undefined);
    throw error;
  }
}

async function start(options: LocalCloudOptions, undo: Undo): Promise<LocalCloud> {
  const { port = 0, stateDir, fresh = false, egress = 'loopback', quiet = true } = options;
  const state = openState(stateDir, fresh);
  undo.push(() => state.release());
  const log = openLog(state.dir, quiet);
  undo.push(() => log.close());

  const broken = Promise.withResolvers<string>();
  const api = await openApi(port, undo);
  const [services, assembly] = await together(
    startServices({ state, log, port, giveUp: broken.resolve }, undo),
    options.assembly ? Promise.resolve(options.assembly) : synthesise(egress),
  );
  const { adminKey, instancesMax } = options;
  const deployment = await deploy(
    { state, log, port, api, services, assembly, adminKey, instancesMax },
    undo,
  );
  const { bucket, endpoints } = deployment;
  if (bucket !== '') {
    const dir = state.path('drop');
    undo.push(watchDropFolder({ dir, endpoint: endpoints.s3, bucket, log }));
  }
  const named = (kind: string) => (name: string) =>
    deployment.variable(`${kind}_${name.toUpperCase().replaceAll('-', '_')}`);
  return {
    apiUrl: api.url,
    adminKey: deployment.adminKey,
    bucket: deployment.bucket,
    endpoints: deployment.endpoints,
    logFile: log.file,
    variable: deployment.variable,
    table: named('TABLE'),
    queue: named('QUEUE'),
    invoke: deployment.invoke,
    instances: deployment.instances,
    killInstances: deployment.killInstances,
    broken: broken.promise,
    stop: () => undo.run(),
  };
}
