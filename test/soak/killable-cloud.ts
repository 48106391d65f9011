import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type LocalCloud, startLocalCloud } from '../../local/local-cloud.ts';
import { type Assembly, synthesise } from '../../local/synthesise.ts';
import { type Death, KILL_VARIABLES } from './dying.ts';

/** A local cloud some of whose workers die, by SIGKILL, at the steps that they are told. */
export interface KillableCloud<Killed extends Death> extends LocalCloud {
  /** The next worker that reaches the step dies there. */
  order(step: Killed['step']): void;
  /** Whether an order is still to be taken. */
  isOrdered(step: Killed['step']): boolean;
  /** Those who died so far. */
  deaths(): Killed[];
}

/** Which workers can be killed, and the program beside this one that does it. */
export interface KillProgram {
  readonly file: string;
  /** By the entries of their functions. */
  readonly steps: Readonly<Record<string, readonly string[]>>;
}

interface Template {
  readonly Resources: Readonly<Record<string, FunctionResource>>;
}

interface FunctionResource {
  readonly Type: string;
  readonly Properties: {
    readonly Description?: string;
    Environment?: { Variables?: Record<string, string> };
  };
}

/** The very stack; only that the workers load a program that can end them. */
export async function startKillableCloud<Killed extends Death>(
  stateDir: string,
  program: KillProgram,
): Promise<KillableCloud<Killed>> {
  const folder = join(stateDir, 'kill-orders');
  mkdirSync(folder, { recursive: true });
  const assembly = withKillPoints(await synthesise('loopback'), { stateDir, folder, program });
  const cloud = await startLocalCloud({ stateDir: join(stateDir, 'cloud'), assembly });
  return {
    ...cloud,
    order: (step) => writeFileSync(join(folder, step), ''),
    isOrdered: (step) => existsSync(join(folder, step)),
    deaths: () =>
      readdirSync(folder)
        .filter((it) => it.includes('.done.'))
        .map((it) => JSON.parse(readFileSync(join(folder, it), 'utf8')) as Killed)
        .toSorted((a, b) => a.atMs - b.atMs),
  };
}

interface Watched {
  readonly stateDir: string;
  readonly folder: string;
  readonly program: KillProgram;
}

function withKillPoints(assembly: Assembly, { stateDir, folder, program }: Watched): Assembly {
  const template = JSON.parse(readFileSync(assembly.templateFile, 'utf8')) as Template;
  const preload = pathToFileURL(join(import.meta.dirname, program.file)).href;
  for (const { Type, Properties } of Object.values(template.Resources)) {
    const entry = Properties?.Description?.replace(/^Tallyhook /, '') ?? '';
    if (Type !== 'AWS::Lambda::Function' || !(entry in program.steps)) continue;
    Properties.Environment = {
      Variables: {
        ...Properties.Environment?.Variables,
        NODE_OPTIONS: `--import=${preload}`,
        [KILL_VARIABLES.folder]: folder,
        [KILL_VARIABLES.entry]: entry,
      },
    };
  }
  // Beside the code, which is the deployment's own.
  const dir = join(stateDir, 'assembly');
  cpSync(assembly.dir, dir, { recursive: true });
  const templateFile = join(dir, basename(assembly.templateFile));
  writeFileSync(templateFile, JSON.stringify(template));
  return { dir, templateFile };
}
