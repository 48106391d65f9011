import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BuildOptions, build, type Metafile } from 'esbuild';
import { OWN_FILES } from './own-files.ts';
import { leaveOutUnreached } from './unreached.ts';

const ROOT = join(import.meta.dirname, '../..');
const CACHE = join(ROOT, '.cache/bundles');

/** What decides the content of the bundles: the code, the dependencies, and this file. */
const INPUTS = [
  'functions/**/*.ts',
  'lib/kit/{bundle,environment-credentials,own-files,unreached}.ts',
  'docs/openapi.json',
];

/** How every function is bundled. */
export const BUNDLE_SETTINGS = {
  absWorkingDir: ROOT,
  outdir: CACHE,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  mainFields: ['module', 'main'],
  minify: true,
  legalComments: 'none',
  alias: {
    '@aws-sdk/credential-provider-node': join(import.meta.dirname, 'environment-credentials.ts'),
  },
  // CommonJS dependencies ask for Node's own modules by `require`, which ESM does not have.
  banner: {
    js: [
      "import{createRequire as createRequire_}from'node:module';",
      'const require=createRequire_(import.meta.url);',
    ].join(''),
  },
  plugins: [leaveOutUnreached],
  metafile: true,
  write: false,
  logLevel: 'silent',
} as const satisfies BuildOptions;

/** The bundle of one Lambda: a folder with `index.mjs`, and its own files if it has some. */
export interface Bundle {
  /** The folder's name is the hash of its content. */
  readonly folder: string;
  /** Of `index.mjs`. */
  readonly bytes: number;
  /** Bytes in the bundle by the file that they come from. */
  readonly inputs: Readonly<Record<string, number>>;
}

/** Bundles by entry: the path under `functions/`, without `.ts`. */
export type Bundles = Readonly<Record<string, Bundle>>;

/**
 * The budget of a function in bytes: INIT is billed, and a caller waits for it. The S3 client
 * alone takes 120 KB more, so only functions that open files may have it.
 */
export function bytesMax({ inputs }: Pick<Bundle, 'inputs'>): number {
  const opensFiles = Object.keys(inputs).some((it) => it.includes('@aws-sdk/client-s3/'));
  return (opensFiles ? 480 : 350) * 1_024;
}

/** A short hash of everything that the bundles are made of. */
export function buildId(): string {
  const files = INPUTS.flatMap((pattern) => globSync(pattern, { cwd: ROOT })).sort();
  const hash = createHash('sha256');
  for (const file of [...files, 'package-lock.json']) {
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(ROOT, file)))
      .update('\0');
  }
  return hash.digest('hex').slice(0, 16);
}

/** Throws with the name of the first entry that has no file. */
export function assertEntries(entries: readonly string[]): void {
  const missing = entries.find((entry) => !existsSync(join(ROOT, 'functions', `${entry}.ts`)));
  if (missing) throw new Error(`functions/${missing}.ts is missing: lib/access.ts names it`);
}

/**
 * Bundles all entries in one esbuild call, which is several times faster than one call each.
 * The same inputs are bundled once: the answer is kept under `.cache/`.
 */
export async function bundle(entries: readonly string[]): Promise<Bundles> {
  assertEntries(entries);
  const index = join(CACHE, `${buildId()}.json`);
  if (existsSync(index)) {
    const known: Bundles = JSON.parse(readFileSync(index, 'utf8'));
    if (entries.every((entry) => existsSync(known[entry]?.folder ?? ''))) return known;
  }

  const { outputFiles, metafile } = await build({
    ...BUNDLE_SETTINGS,
    entryPoints: entries.map((entry) => ({ in: `functions/${entry}.ts`, out: entry })),
  });
  const bundles = Object.fromEntries(
    outputFiles.map(({ path, contents }) => {
      const entry = path.slice(CACHE.length + 1, -'.mjs'.length);
      const own = Object.entries(OWN_FILES[entry] ?? {}).map(([name, make]) => [name, make()]);
      const files = { 'index.mjs': contents, ...Object.fromEntries(own) };
      return [entry, keep(files, metafile.outputs[`.cache/bundles/${entry}.mjs`])];
    }),
  );
  writeFileSync(index, JSON.stringify(bundles, null, 1));
  return bundles;
}

type BundleFiles = Readonly<Record<string, Uint8Array>> & { readonly 'index.mjs': Uint8Array };

function keep(files: BundleFiles, facts?: Metafile['outputs'][string]): Bundle {
  const hash = createHash('sha256');
  for (const contents of Object.values(files)) hash.update(contents);
  const folder = join(CACHE, hash.digest('hex').slice(0, 16));
  mkdirSync(folder, { recursive: true });
  for (const [name, contents] of Object.entries(files)) writeFileSync(join(folder, name), contents);
  const inputs = Object.entries(facts?.inputs ?? {}).map(
    ([input, { bytesInOutput }]) => [input, bytesInOutput] as const,
  );
  return {
    folder,
    bytes: files['index.mjs'].byteLength,
    inputs: Object.fromEntries(inputs),
  };
}
