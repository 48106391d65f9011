import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  globSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { LocalFailure } from './failure.ts';

const ROOT = join(import.meta.dirname, '..');
const CACHE = join(ROOT, '.cache', 'synthesised');
/** About 6 MB each. */
const KEPT_MAX = 30;
/** The document of the API is deployed beside the code. */
const INPUTS = [
  '{bin,lib,functions}/**/*.ts',
  'docs/openapi.json',
  'package-lock.json',
  'cdk.json',
];

export type Egress = 'loopback' | 'public';

/** The cloud assembly of the project: the very template and bundles that `cdk deploy` ships. */
export interface Assembly {
  readonly dir: string;
  readonly templateFile: string;
}

/** Synthesises the stack, or answers the kept result of the same inputs. */
export async function synthesise(egress: Egress): Promise<Assembly> {
  const options = optionsFrom(process.env, egress);
  const dir = join(CACHE, contentHash(options));
  if (existsSync(dir)) return assemblyIn(dir);
  // Made beside its place and moved, so that a killed synthesis leaves no half of one.
  const draft = `${dir}.${process.pid}`;
  await runApp(draft, options);
  try {
    renameSync(draft, dir);
  } catch {
    // Somebody else has just made the same.
    rmSync(draft, { recursive: true, force: true });
  }
  forgetOld();
  return assemblyIn(dir);
}

/** The file of the template has the name of the stack, which depends on the stage. */
function assemblyIn(dir: string): Assembly {
  const name = readdirSync(dir).find((file) => file.endsWith('.template.json'));
  if (!name) throw new LocalFailure('bin/app.ts made no template');
  return { dir, templateFile: join(dir, name) };
}

/** Keeps the newest results; one that a local cloud runs from is hardly ever older. */
function forgetOld(): void {
  const byAge = readdirSync(CACHE)
    .map((name) => join(CACHE, name))
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  for (const dir of byAge.slice(KEPT_MAX)) rmSync(dir, { recursive: true, force: true });
}

/** What `npm run ops` reads: a shell in which a restore goes on starts a local cloud as well. */
const OF_OPERATORS = ['ADMIN_KEY', 'API', 'RESTORED', 'STACK'];

/**
 * Each option of the deployment can be given as `TALLYHOOK_<NAME>`: logLevel is LOG_LEVEL. An
 * unknown one is passed on, so that the synthesis refuses it by name.
 */
export function optionsFrom(env: NodeJS.ProcessEnv, egress: Egress): Record<string, string> {
  const options: Record<string, string> = { egress };
  for (const [variable, value = ''] of Object.entries(env)) {
    const name = variable.match(/^TALLYHOOK_([A-Z_]+)$/)?.[1];
    // The receivers that are allowed follow from the flag --strict-egress alone.
    if (!name || OF_OPERATORS.includes(name) || name === 'EGRESS') continue;
    if (name === 'RESTORE_FROM') throw new LocalFailure('restoreFrom is for AWS: unset it here');
    options[name.toLowerCase().replaceAll(/_(.)/g, (_, letter) => letter.toUpperCase())] = value;
  }
  return options;
}

function contentHash(options: Record<string, string>): string {
  const hash = createHash('sha256').update(JSON.stringify(options));
  for (const file of INPUTS.flatMap((pattern) => globSync(pattern, { cwd: ROOT })).sort()) {
    hash.update(`${file}\0`).update(readFileSync(join(ROOT, file)));
  }
  return hash.digest('hex').slice(0, 24);
}

/** What `cdk synth` does: the app gets the context of cdk.json and writes the assembly. */
async function runApp(outdir: string, options: Record<string, string>): Promise<void> {
  const { context } = JSON.parse(readFileSync(join(ROOT, 'cdk.json'), 'utf8'));
  const child = spawn(process.execPath, ['bin/app.ts'], {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      ...process.env,
      CDK_OUTDIR: outdir,
      CDK_CONTEXT_JSON: JSON.stringify({ ...context, ...options }),
      // By this the stack knows that it is not for AWS, where `egress=loopback` is refused.
      AWS_ENDPOINT_URL: 'http://127.0.0.1',
    },
  });
  const code = new Promise((resolve) => child.once('close', resolve));
  const said = await text(child.stderr);
  if ((await code) === 0) return;
  rmSync(outdir, { recursive: true, force: true });
  throw new LocalFailure(`the stack cannot be synthesised: ${reasonIn(said)}`);
}

/** The message of the error that ended the app, however many lines it has, as one line. */
function reasonIn(said: string): string {
  const lines = said.trim().split('\n');
  const first = Math.max(
    0,
    lines.findIndex((line) => /^\w*Error: /.test(line)),
  );
  const stack = lines.findIndex((line, i) => i > first && /^ +at /.test(line));
  return lines
    .slice(first, stack < 0 ? undefined : stack)
    .map((line) => line.trim())
    .join(' ');
}
