import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import * as z from 'zod';
import { MIB, MINUTE_MS } from '../../functions/shared/units.ts';
import { type ApiClient, newTenantOf } from '../support/api.ts';
import { checkFiles } from '../support/invariants/files.ts';
import { scanTable } from '../support/invariants/snapshot.ts';
import { type FileView, uploadFile } from '../support/upload.ts';
import { type AlertLog, type AlertReceiver, startAlertReceiver } from './alert-receiver.ts';
import { KILL_STEPS, type KillRecord, type KillStep } from './kill-points.ts';
import type { KillableCloud } from './killable-cloud.ts';

export interface SoakFile {
  readonly users: number;
  /** Of a column that makes its rows longer. */
  readonly noteBytes: number;
}

/** Files that are under way together, and at which steps their workers are killed. */
export interface FilePhase {
  readonly files: readonly SoakFile[];
  readonly onUnknown: 'resend' | 'stop';
  /** Each is reached once or more. */
  readonly steps: readonly KillStep[];
}

export interface FilePlan {
  readonly phases: readonly FilePhase[];
  /** Files that are under way at a time. */
  readonly together: number;
  /** A step that was taken is ordered again so much later; absent: never. */
  readonly againAfterMs?: number;
  /** How long all may take. */
  readonly limitMs: number;
  readonly tell: (line: string) => void;
}

export interface FileSoak {
  readonly users: number;
  readonly repeats: number;
  readonly uncertain: number;
  /** Alerts of which a worker that lived did not learn the outcome, as on a busy machine. */
  readonly unknown: number;
  /** What was killed, and how long it took until what was lost had come. */
  readonly kills: readonly (KillRecord & { readonly healedMs: number })[];
  /** The most that this process has ever had, the receiver and the cloud's servers included. */
  readonly memoryMb: number;
  readonly seconds: number;
  readonly violations: readonly string[];
}

/**
 * So that a file has more than one segment, whose first one may be all that a parser stored.
 */
const SEGMENTS_BYTES = 12 * MIB;
/** Files of a large soak, besides the one that holds a fifth of all users. */
const FILE_USERS_MAX = 100_000;
const FILES_MIN = 8;

/** Files with so many users in all: first such whose users may come twice, then such that stop. */
export function filePhases(users: number): FilePhase[] {
  const large = Math.ceil(users / 5);
  const size = Math.min(FILE_USERS_MAX, Math.ceil((users - large) / FILES_MIN));
  const count = Math.ceil((users - large) / size);
  const small = Array.from({ length: count }, () => ({ users: size, noteBytes: 0 }));
  const noted = { users: large, noteBytes: Math.ceil(SEGMENTS_BYTES / large) };
  const stopping = Math.ceil(count / 4);
  return [
    { files: [noted, ...small.slice(stopping)], onUnknown: 'resend', steps: STEPS },
    { files: small.slice(0, stopping), onUnknown: 'stop', steps: BLOCK_STEPS },
  ];
}

/** The program by which the workers of files are killed. */
export const FILE_KILLS = { file: 'kill-points.ts', steps: KILL_STEPS } as const;

/** All steps, and those at which somebody may have been alerted. */
export const STEPS: readonly KillStep[] = Object.values(KILL_STEPS).flat();
export const BLOCK_STEPS: readonly KillStep[] = KILL_STEPS['files/on-block'];
/** A worker has at most this many users in its hands. */
const BATCH_MAX = 25;
/** Of one file; besides, an order or two may still be open. */
const PARSER_DEATHS_MAX = 2;
/** Recovery may take this long after any kill. */
const HEALING_MS = 3 * MINUTE_MS;
const LOOK_MS = 500;

interface Run {
  readonly cloud: KillableCloud<KillRecord>;
  readonly plan: FilePlan;
  readonly api: ApiClient;
  readonly receiver: AlertReceiver;
  readonly endpointIds: Readonly<Record<FilePhase['onUnknown'], string>>;
  readonly done: { readonly phase: FilePhase; readonly file: FileView }[];
}

/**
 * Files of users whose workers are killed at every step. Each user has to be alerted, each copy
 * has to say that it may be one, and what was killed has to heal in time.
 */
export async function runFileSoak(
  cloud: KillableCloud<KillRecord>,
  plan: FilePlan,
): Promise<FileSoak> {
  const startMs = Date.now();
  const receiver = await startAlertReceiver();
  const { api, tenantId } = await newTenantOf(cloud.apiUrl, cloud.adminKey);
  const endpointIds = {
    resend: await openEndpoint(api, receiver, 'resend'),
    stop: await openEndpoint(api, receiver, 'stop'),
  };
  const run: Run = { cloud, plan, api, receiver, endpointIds, done: [] };
  try {
    for (const phase of plan.phases) await runPhase(run, phase);
    const kills = cloud.deaths().map((it) => ({ ...it, healedMs: healedMs(run, it) }));
    const stored = await checkStored(cloud, tenantId);
    const unknown = await readUnknown(cloud.logFile);
    const logs = [...receiver.logs.values()];
    return {
      users: logs.reduce((sum, it) => sum + it.copies.length, 0),
      repeats: logs.reduce((sum, it) => sum + it.repeats, 0),
      uncertain: run.done.reduce((sum, it) => sum + it.file.uncertain, 0),
      unknown: [...unknown.values()].reduce((sum, it) => sum + it, 0),
      kills,
      memoryMb: Math.round(process.resourceUsage().maxRSS / 1_024),
      seconds: (Date.now() - startMs) / 1_000,
      violations: [...receiver.violations, ...stored, ...checkRun(run, kills, unknown)],
    };
  } finally {
    await receiver.close();
  }
}

async function openEndpoint(
  api: ApiClient,
  receiver: AlertReceiver,
  onUnknown: FilePhase['onUnknown'],
): Promise<string> {
  const { body } = await api.post<{ id: string; secret: string }>('/v1/endpoints', {
    url: receiver.url,
    eventTypes: ['soak.nothing'],
    // As long as it may be: a busy machine stands still for seconds.
    timeoutSeconds: 15,
    onUnknown,
  });
  receiver.trust(body.secret);
  return body.id;
}

async function runPhase(run: Run, phase: FilePhase): Promise<void> {
  const { cloud, plan } = run;
  const stop = new AbortController();
  for (const step of phase.steps) cloud.order(step);
  const orders = orderAgain(run, phase, stop.signal);
  const left = [...phase.files];
  const one = async () => {
    for (let file = left.shift(); file; file = left.shift()) await runFile(run, phase, file);
  };
  await Promise.all(Array.from({ length: plan.together }, one));
  stop.abort();
  await orders;
}

async function orderAgain(run: Run, phase: FilePhase, signal: AbortSignal) {
  const { cloud, plan } = run;
  const { againAfterMs } = plan;
  for (let n = 0; againAfterMs !== undefined && !signal.aborted; n += 1) {
    await wait(againAfterMs, undefined, { signal }).catch(() => undefined);
    const step = phase.steps[n % phase.steps.length];
    if (step && !signal.aborted && mayDieAgain(run, step)) cloud.order(step);
  }
}

/** What dies more often than it heals never ends; a file is given up when five parsers died. */
function mayDieAgain({ cloud, done }: Run, step: KillStep): boolean {
  const isOfBlock = (it: KillStep) => BLOCK_STEPS.includes(it);
  const deaths = cloud.deaths().filter((it) => isOfBlock(it.step) === isOfBlock(step));
  if (isOfBlock(step)) return deaths.every(({ atMs }) => atMs < Date.now() - HEALING_MS);
  const ended = new Set(done.map(({ file }) => file.id));
  const counts = Map.groupBy(deaths, ({ fileId }) => fileId);
  return ![...counts].some(([id, died]) => !ended.has(id) && died.length >= PARSER_DEATHS_MAX);
}

async function runFile(run: Run, phase: FilePhase, wanted: SoakFile): Promise<void> {
  const { api, plan, endpointIds } = run;
  const { id, ...others } = await uploadFile(api, {
    name: String(wanted.users),
    content: contentOf(wanted),
    // Files of one size are the same bytes.
    allowRepeat: true,
    endpointId: endpointIds[phase.onUnknown],
  });
  plan.tell(`${id}: ${wanted.users} users, ${others.status}`);
  const deadlineMs = Date.now() + plan.limitMs;
  for (;;) {
    const { body: file } = await api.get<FileView>(`/v1/files/${id}`);
    if (['completed', 'failed', 'expired'].includes(file.status) || Date.now() > deadlineMs) {
      run.done.push({ phase, file });
      plan.tell(`${id}: ${file.status}, ${file.delivered} delivered, ${file.uncertain} uncertain`);
      return;
    }
    await wait(LOOK_MS);
  }
}

function contentOf({ users, noteBytes }: SoakFile): string {
  const note = 'n'.repeat(noteBytes);
  return `user_id,note\n${Array.from({ length: users }, (_, n) => `u${n},${note}\n`).join('')}`;
}

/**
 * What the dead had in their hands comes: the file, or what is left of the block. Whoever was
 * killed with the same file after them had gone on with it.
 */
function healedMs({ cloud, receiver }: Run, { step, atMs, fileId, block }: KillRecord): number {
  const log = receiver.logs.get(fileId);
  const isOfBlock = BLOCK_STEPS.includes(step);
  const came = isOfBlock ? log?.resumedMs[block] || log?.blockMs[block] : log?.firstMs;
  const nextDeath = cloud.deaths().find((it) => isNextOf(it) && it.atMs > atMs)?.atMs;
  return Math.max(0, Math.min(came ?? Infinity, nextDeath ?? Infinity) - atMs);

  /** Of the same work: a parser has the whole file, whatever block it writes of. */
  function isNextOf(it: KillRecord): boolean {
    if (it.fileId !== fileId || BLOCK_STEPS.includes(it.step) !== isOfBlock) return false;
    return !isOfBlock || it.block === block;
  }
}

async function checkStored(cloud: KillableCloud<KillRecord>, tenantId: string): Promise<string[]> {
  const client = new DynamoDBClient({
    endpoint: cloud.endpoints.dynamodb,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  // A block of a thousand users is less than a kilobyte: five million are five megabytes.
  const files = await scanTable(client, cloud.table('files'), tenantId);
  const deliveries = await scanTable(client, cloud.table('deliveries'), tenantId);
  return checkFiles({ files, deliveries });
}

/** By the id of each file: what its workers themselves say in the log. */
async function readUnknown(logFile: string): Promise<Map<string, number>> {
  const unknown = new Map<string, number>();
  for await (const line of createInterface({ input: createReadStream(logFile) })) {
    if (!line.includes('"file.batch"')) continue;
    const { file, retried, uncertain, unsent } = BatchLine.parse(
      JSON.parse(line.slice(line.indexOf('{'))),
    );
    // This receiver refuses nobody: who is retried was not heard of either.
    const count = retried + uncertain + unsent;
    if (count > 0) unknown.set(file, (unknown.get(file) ?? 0) + count);
  }
  return unknown;
}

const BatchLine = z.object({
  file: z.string(),
  retried: z.int(),
  uncertain: z.int(),
  unsent: z.int(),
});

function checkRun(
  run: Run,
  kills: FileSoak['kills'],
  unknown: ReadonlyMap<string, number>,
): string[] {
  const { plan, receiver, done } = run;
  const wanted = new Set(plan.phases.flatMap(({ steps }) => steps));
  const reached = new Set(kills.map(({ step }) => step));
  return [
    ...[...wanted].filter((it) => !reached.has(it)).map((it) => `nobody was killed ${it}`),
    ...kills
      .filter((it) => it.healedMs > HEALING_MS)
      .map((it) => `${it.fileId}, killed ${it.step}, healed after ${it.healedMs} ms`),
    ...done.flatMap(({ phase, file }) => {
      const count = kills.filter((it) => it.fileId === file.id).length;
      const explained = count * BATCH_MAX + (unknown.get(file.id) ?? 0);
      return checkFile({ phase, file, explained, log: receiver.logs.get(file.id) });
    }),
  ];
}

interface Ended {
  readonly phase: FilePhase;
  readonly file: FileView;
  /** How many users the dead may have had in their hands, and the living lost sight of. */
  readonly explained: number;
  readonly log: AlertLog | undefined;
}

function checkFile({ phase, file, explained, log }: Ended): string[] {
  const { id, status, alerts, delivered, uncertain } = file;
  const users = log?.copies.length ?? 0;
  const isStop = phase.onUnknown === 'stop';
  const repeatsMax = isStop ? 0 : explained;
  const uncertainMax = isStop ? explained : 0;
  const faults = [
    status === 'completed' ? '' : `is ${status}`,
    alerts === users && delivered + uncertain === users ? '' : `has ${alerts} of ${users} users`,
    (log?.users ?? 0) >= delivered ? '' : `says ${delivered} delivered, ${log?.users} came`,
    (log?.repeats ?? 0) <= repeatsMax ? '' : `has ${log?.repeats} repeats of ${repeatsMax}`,
    uncertain <= uncertainMax ? '' : `has ${uncertain} uncertain of ${uncertainMax}`,
    ...(log?.violations ?? []),
  ];
  return faults.filter((it) => it !== '').map((it) => `${id} ${it}`);
}
