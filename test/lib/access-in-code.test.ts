import { build } from 'esbuild';
import { expect, it } from 'vitest';
import { ACCESS, type Access } from '../../lib/access.ts';
import { BUNDLE_SETTINGS } from '../../lib/kit/bundle.ts';

const ACTIONS = {
  get: 'GetItem',
  put: 'PutItem',
  update: 'UpdateItem',
  remove: 'DeleteItem',
  check: 'ConditionCheckItem',
} as const;

/** What our own code in a bundle does to items by key: `ledger PutItem`. */
function actionsIn(bundle: string): string[] {
  const files = bundle.split(/^\/\/ (?=\S+\.[jt]s$)/m);
  const ours = files.filter((it) => /^functions\/(?!shared\/aws\/)/.test(it)).join('\n');
  const reads = ours.matchAll(/\bdb\d*\.(get)\(\s*"(\w+)"/g);
  const writes = ours.matchAll(/kind: "(put|update|remove|check)",\s*table: "(\w+)"/g);
  const actions = [...reads, ...writes].map(
    ([, verb, table]) => `${table} ${ACTIONS[verb as keyof typeof ACTIONS]}`,
  );
  return [...new Set(actions)].sort();
}

function actionsGranted({ tables = {} }: Access): string[] {
  const byKey: readonly string[] = Object.values(ACTIONS);
  return Object.entries(tables)
    .flatMap(([table, actions = []]) =>
      actions
        .map((it) => it.replace(/ .*\*$/, ''))
        .filter((it) => byKey.includes(it))
        .map((it) => `${table} ${it}`),
    )
    .sort();
}

// No emulator knows of grants, so a missing one would show on AWS only. What a bundle cannot
// reach is shaken out of it, so that what is left is what the function may come to do.
it('grants each function what its code does to items by key, and no more', async () => {
  const { outputFiles } = await build({
    ...BUNDLE_SETTINGS,
    minify: false,
    entryPoints: Object.keys(ACCESS).map((entry) => ({ in: `functions/${entry}.ts`, out: entry })),
  });
  const done = outputFiles.map(({ path, text }) => {
    const entry = path.slice(path.indexOf('bundles/') + 'bundles/'.length, -'.mjs'.length);
    return [entry, actionsIn(text)];
  });
  const granted = Object.entries(ACCESS).map(([entry, row]) => [entry, actionsGranted(row)]);

  expect(Object.fromEntries(done)).toEqual(Object.fromEntries(granted));
});
