import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { LocalFailure } from './failure.ts';

const ROOT = join(import.meta.dirname, '..');
const CACHE = join(ROOT, '.cache', 'synthesised');
const INPUTS = ['{bin,lib,functions}/**/*.ts', 'package-lock.json', 'cdk.json'];

export type Egress = 'loopback' | 'public';

/** The cloud assembly of the project: the very template and bundles that `cdk deploy` ships. */
export interface Assembly {
  readonly dir: string;
  readonly templateFile: string;
}

/** Synthesises the stack, or answers the kept result of the same inputs. */
export async function synthesise(egress: Egress): Promise<Assembly> {
  const options = optionsFromEnvironment(egress);
  const dir = join(CACHE, contentHash(options));
  const assembly = { dir, templateFile: join(dir, 'Tallyhook.template.json') };
  if (existsSync(assembly.templateFile)) return assembly;
  // Made beside its place and moved, so that a killed synthesis leaves no half of one.
  const draft = `${dir}.${process.pid}`;
  await runApp(draft, options);
  try {
    renameSync(draft, dir);
  } catch {
    // Somebody else has just made the same.
    rmSync(draft, { recursive: true, force: true });
  }
  if (!existsSync(assembly.templateFile)) {
    throw new LocalFailure('bin/app.ts made no template called Tallyhook.template.json');
  }
  return assembly;
}

/** Each option of the deployment can be given as `TALLYHOOK_<NAME>`: logLevel is LOG_LEVEL. */
function optionsFromEnvironment(egress: Egress): Record<string, string> {
  const options: Record<string, string> = { egress };
  for (const [variable, value = ''] of Object.entries(process.env)) {
    const name = variable.match(/^TALLYHOOK_([A-Z_]+)$/)?.[1];
    if (!name || name === 'ADMIN_KEY') continue;
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
  const reason = said.match(/^(?:\w*Error): .*/m)?.[0] ?? said.trim();
  throw new LocalFailure(`the stack cannot be synthesised: ${reason}`);
}
