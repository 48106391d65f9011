import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { ACCESS, type Access, type Entry } from '../lib/access.ts';
import { BUNDLE_SETTINGS, bundle, bytesMax } from '../lib/kit/bundle.ts';
import { optionVariable, variable } from '../lib/kit/grants.ts';

/**
 * `npm run sizes`: the bundle of each function against its budget, and what its import costs
 * compared with a bundle of the bare DynamoDB client. Fails when one is over its
 * budget in bytes; the design wants a ratio of 2 at most.
 */
const ROUNDS = 7;

/** Time of the processor, which other programs on the machine do not lengthen. */
const IMPORT = `const before = process.cpuUsage();
await import(process.argv[1]);
const { user, system } = process.cpuUsage(before);
console.log((user + system) / 1000);`;

/** One import in a fresh process, in milliseconds of CPU. */
function importMs(file: string, variables: Readonly<Record<string, string>>): number {
  const env = { ...process.env, AWS_REGION: 'eu-west-1', ...variables };
  const args = ['--input-type=module', '--eval', IMPORT, file];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { env });
  if (status !== 0) throw new Error(`${file}: ${stderr}`);
  return Number(stdout);
}

/** Any value will do: an import opens nothing. */
function variablesOf(access: Access) {
  const { tables = {}, sendsTo = [], cares = [], parks = [] } = access;
  const { secrets = [], options = [] } = access;
  const names = [
    ...Object.keys(tables).map((it) => variable('TABLE', it)),
    ...[...sendsTo, ...cares].map((it) => variable('QUEUE', it)),
    ...[...cares, ...parks].map((it) => variable('PARKED', it)),
    ...secrets.map((it) => variable('SECRET', it)),
    ...options.filter((it) => it !== 'egress').map(optionVariable),
    'BUCKET_FILES',
  ];
  return Object.fromEntries(names.map((name) => [name, '1']));
}

/** A bundle of nothing but the client that every function has. */
async function bareClient(folder: string): Promise<string> {
  const { outdir: _, outExtension: __, write: ___, ...settings } = BUNDLE_SETTINGS;
  const contents = `import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
export const client = new DynamoDBClient({});`;
  const outfile = join(folder, 'bare.mjs');
  await build({ ...settings, stdin: { contents, resolveDir: '.' }, outfile });
  return outfile;
}

const folder = mkdtempSync(join(tmpdir(), 'tallyhook-sizes-'));
const bundles = Object.entries(await bundle(Object.keys(ACCESS)));
const imports = [
  { file: await bareClient(folder), variables: {} },
  ...bundles.map(([entry, one]) => ({
    file: join(one.folder, 'index.mjs'),
    variables: variablesOf(ACCESS[entry as Entry]),
  })),
];
// The least of several rounds: caches and clock rates of the machine only ever add.
const fastest = imports.map(() => Number.POSITIVE_INFINITY);
for (let round = 0; round < ROUNDS; round += 1) {
  for (const [i, { file, variables }] of imports.entries()) {
    fastest[i] = Math.min(fastest[i] ?? Number.NaN, importMs(file, variables));
  }
}
rmSync(folder, { recursive: true });

const [bareMs = Number.NaN, ...times] = fastest;
const rows = bundles.map(([entry, one], i) => {
  const ms = times[i] ?? Number.NaN;
  const ratio = Math.round((100 * ms) / bareMs) / 100;
  const budget = bytesMax(one);
  const fits = one.bytes <= budget;
  return { entry, bytes: one.bytes, budget, fits, 'import CPU ms': Math.round(ms), ratio };
});
console.table(rows);
console.log(`The bare DynamoDB client takes ${Math.round(bareMs)} ms of CPU.`);
process.exitCode = rows.every(({ fits }) => fits) ? 0 : 1;
