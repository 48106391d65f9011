import { type Node, Source } from './source.ts';
import { importOffences, isInRoom, roleOf } from './tidy-imports.ts';

/** One rule of the style: where it holds, what offends it, and a file that must be caught. */
export interface TidyRule {
  readonly title: string;
  readonly where: string;
  readonly offences: (source: Source) => readonly string[];
  readonly planted: readonly (readonly [path: string, text: string])[];
}

const CODE = '{bin,lib,functions,local,bench,test}/**/*.ts';
const PRODUCT = '{bin,lib,functions,local}/**/*.ts';
const FUNCTIONS = 'functions/**/*.ts';

/** The doors to the machine: only these files may open them. */
const DOORS = [
  'functions/shared/system.ts',
  'functions/shared/environment.ts',
  'functions/shared/ids/ulid.ts',
  // The sender's sockets and its one deadline.
  'functions/shared/http/guarded-sender.ts',
  'functions/shared/http/exchange.ts',
  'functions/shared/http/connection-pool.ts',
  'functions/shared/http/resolve-host.ts',
];

// Written so that this file does not offend itself.
const LEFT_OVER = new RegExp(
  [
    '\\b(TO',
    'DO|FIX',
    'ME)\\b|\\.(only|ski',
    'p)\\(|biome-',
    'ignore|@ts-',
    '(ignore|nocheck)',
  ].join(''),
);

const DOOR = new RegExp(
  [
    /^(Date\.now|Math\.random|performance\.now|(globalThis\.)?fetch|setTimeout|setInterval)\(/,
    /^new Date\(\)/,
    /^(crypto\.)?(randomUUID|randomBytes|randomInt)\(/,
    /^process\.env$/,
  ]
    .map(({ source }) => source)
    .join('|'),
);

/** A path that exists on one machine only. */
export const MACHINE_PATH = /(^|['"`\s(=])\/(work|home|root|Users)\//m;

const FUNCTION_TYPES = ['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression'];

const located = (source: Source, nodes: readonly Node[]) =>
  nodes.map((node) => `${source.lineAt(node.start)}: ${source.codeOf(node).split('\n')[0]}`);

const matching = (pattern: RegExp) => (source: Source) =>
  source.text.split('\n').flatMap((line, at) => (pattern.test(line) ? [`${at + 1}: ${line}`] : []));

const linesOf = (source: Source, node: Node) =>
  source.lineAt(node.end) - source.lineAt(node.start) + 1;

function doorsOpened(source: Source): string[] {
  if (DOORS.includes(source.path)) return [];
  const calls = source
    .nodes('CallExpression', 'NewExpression', 'MemberExpression')
    .filter((node) => DOOR.test(source.codeOf(node)));
  return located(source, calls);
}
/** Exports of values without a docstring. Routes have a summary, handlers a use case. */
function undocumented(source: Source): string[] {
  const isRoutes = roleOf(source.path) === 'contract';
  const exports = source.nodes('ExportNamedDeclaration').filter((node) => {
    const code = source.codeOf(node);
    if (!/^export (async )?(function|class|const)\b/.test(code)) return false;
    if (/^export const handler\b/.test(code)) return false;
    if (isRoutes && /^export const \w+Routes?\b/.test(code)) return false;
    // One comment may stand over a group of constants.
    const before = source.text.slice(0, node.start);
    return !/(\*\/|^export const .*;)\n$/m.test(before.slice(-200));
  });
  return located(source, exports);
}

function misplacedHandlers(source: Source): string[] {
  const has = /^export const handler\b/m.test(source.text);
  const isEntry = isInRoom(source.path) && roleOf(source.path) === 'entry';
  if (has === isEntry) return [];
  return [isEntry ? 'an entry without a handler' : 'a handler outside an entry'];
}

function entryDecisions(source: Source): string[] {
  if (!isInRoom(source.path) || roleOf(source.path) !== 'entry') return [];
  const decisions = source.nodes(
    'IfStatement',
    'SwitchStatement',
    'ConditionalExpression',
    'FunctionDeclaration',
    'TryStatement',
  );
  const lines = source.text
    .split('\n')
    .filter((it) => it && !/^(import|} from| {2}\w+,$)/.test(it));
  return [
    ...located(source, decisions),
    ...(lines.length > 20 ? [`${lines.length} lines without the imports`] : []),
  ];
}

function impureNouns(source: Source): string[] {
  if (!isInRoom(source.path) || roleOf(source.path) !== 'noun') return [];
  const waits = source.nodes('AwaitExpression');
  const asyncs = source.nodes(...FUNCTION_TYPES).filter((node) => node.async === true);
  return located(source, [...waits, ...asyncs]);
}

/** The style as a table. A rule that is not in it is only a wish. */
export const TIDY_RULES: readonly TidyRule[] = [
  {
    title: 'imports go down the house, and from role to role as the architecture says',
    where: '{bin,lib,functions}/**/*.ts',
    offences: importOffences,
    planted: [
      ['functions/ledger/account.ts', "import { Stack } from '../../lib/tallyhook-stack.ts';"],
      ['functions/ledger/account.ts', "import { openDb } from '../shared/aws/db.ts';"],
      ['functions/ledger/account.ts', "import { findAccount } from './account.store.ts';"],
      ['functions/ledger/account.ts', "import { GetItemCommand } from '@aws-sdk/client-dynamodb';"],
      ['functions/ledger/account.ts', "import * as z from 'zod';"],
      ['functions/ledger/create-account.ts', "import middy from '@middy/core';"],
      ['functions/ledger/create-account.ts', "import { jsonLog } from '../shared/system.ts';"],
      ['functions/ledger/create-account.ts', "import { handler } from './api.ts';"],
      ['functions/ledger/account.store.ts', "import { createAccount } from './create-account.ts';"],
      ['functions/ledger/contract.ts', "import { createAccount } from './create-account.ts';"],
      ['functions/ledger/contract.ts', "import { Problem } from '../shared/problem.ts';"],
      ['functions/events/event.ts', "import type { Account } from '../ledger/account.ts';"],
      ['functions/ledger/account.ts', "import type { Endpoint } from '../webhooks/endpoint.ts';"],
      ['functions/shared/page.ts', "import { due } from '../timers/due.ts';"],
      ['lib/ledger.ts', "import { post } from '../functions/ledger/post-transaction.ts';"],
      ['bin/app.ts', "import { OPTIONS } from '../functions/shared/config.ts';"],
    ],
  },
  {
    title: 'files have at most 300 lines, apart from tables of tests',
    where: '{bin,lib,functions,local,bench,test/support}/**/*.ts',
    offences: ({ text }) => (text.trimEnd().split('\n').length > 300 ? ['longer'] : []),
    planted: [['lib/long.ts', 'let a = 1;\n'.repeat(301)]],
  },
  {
    title: 'lines have at most 100 columns',
    where: CODE,
    offences: matching(/^.{101}/u),
    planted: [['lib/wide.ts', `// ${'x'.repeat(98)}`]],
  },
  {
    title: 'functions have at most 70 lines',
    where: PRODUCT,
    offences: (source) =>
      located(
        source,
        source.nodes(...FUNCTION_TYPES).filter((it) => linesOf(source, it) > 70),
      ),
    planted: [['lib/long.ts', `function long() {\n${'  run();\n'.repeat(69)}}\n`]],
  },
  {
    title: 'functions take at most three parameters',
    where: PRODUCT,
    offences: (source) =>
      located(
        source,
        source.nodes(...FUNCTION_TYPES).filter(({ params }) => [params].flat().length > 3),
      ),
    planted: [['lib/many.ts', 'const f = (a: 1, b: 1, c: 1, d: 1) => a + b + c + d;']],
  },
  {
    title: 'file names say what is inside, in small letters',
    where: CODE,
    offences: ({ path }) => {
      const name = path.split('/').at(-1) ?? '';
      const vague = /^(index|utils?|helpers?|common|.*-?(manager|service))\./.test(name);
      return vague || !/^[a-z\d-]+(\.(contract|store|test|d))?\.ts$/.test(name) ? [name] : [];
    },
    planted: [
      ['functions/ledger/index.ts', ''],
      ['functions/ledger/utils.ts', ''],
      ['functions/ledger/account-service.ts', ''],
      ['functions/ledger/AccountStore.ts', ''],
    ],
  },
  {
    title: 'a file of exports only, a barrel, is not made',
    where: CODE,
    offences: (source) => located(source, source.nodes('ExportAllDeclaration')),
    planted: [['functions/ledger/all.ts', "export * from './account.ts';"]],
  },
  {
    title: 'time, chance, settings and the network come through the doors of the World',
    where: FUNCTIONS,
    offences: doorsOpened,
    planted: [
      ['functions/ledger/account.ts', 'const now = Date.now();'],
      ['functions/ledger/account.ts', 'const now = new Date();'],
      ['functions/ledger/account.ts', 'const jitter = Math.random();'],
      ['functions/ledger/account.ts', 'const id = randomUUID();'],
      ['functions/ledger/account.ts', 'setTimeout(() => {}, 1);'],
      ['functions/ledger/account.ts', "await fetch('https://example.com');"],
      ['functions/ledger/account.ts', 'const name = process.env.TABLE_LEDGER;'],
    ],
  },
  {
    title: 'a noun is synchronous',
    where: FUNCTIONS,
    offences: impureNouns,
    planted: [
      ['functions/ledger/account.ts', 'export async function wait() {}'],
      ['functions/ledger/account.ts', 'await ready;'],
    ],
  },
  {
    title: 'handlers are exported by entries, and by nothing else',
    where: FUNCTIONS,
    offences: misplacedHandlers,
    planted: [
      ['functions/ledger/account.ts', 'export const handler = 1;'],
      ['functions/ledger/on-posted.ts', 'export const world = 1;'],
    ],
  },
  {
    title: 'an entry wires and decides nothing, in at most 20 lines',
    where: FUNCTIONS,
    offences: entryDecisions,
    planted: [
      ['functions/ledger/api.ts', 'if (ready) run();'],
      ['functions/ledger/api.ts', 'run();\n'.repeat(21)],
    ],
  },
  {
    title: 'every exported value says what it promises',
    where: FUNCTIONS,
    offences: undocumented,
    planted: [
      ['functions/ledger/account.ts', 'export function open() {}'],
      ['functions/ledger/account.ts', '// Not a docstring.\nexport const OPEN = 1;'],
    ],
  },
  {
    title: 'zod is imported whole: `import { z }` bundles every locale',
    where: CODE,
    offences: matching(/^import (type )?(\{|z\b).* from 'zod['/]/),
    planted: [
      ['functions/ledger/contract.ts', "import { z } from 'zod';"],
      ['functions/ledger/contract.ts', "import { z } from 'zod/v4';"],
    ],
  },
  {
    title: 'nothing is left for later, switched off, or hidden from a check',
    where: CODE,
    offences: matching(LEFT_OVER),
    planted: [
      ['lib/later.ts', `// ${'TO'}DO: finish`],
      ['test/a.test.ts', `it.${'only'}('works', run);`],
      ['test/a.test.ts', `it.${'skip'}('works', run);`],
      ['lib/hidden.ts', `// biome-${'ignore'} lint: later`],
      ['lib/hidden.ts', `// @ts-${'ignore'}`],
    ],
  },
  {
    title: 'nothing has the type any',
    where: CODE,
    offences: (source) => located(source, source.nodes('TSAnyKeyword')),
    planted: [['lib/loose.ts', 'let loose: any;']],
  },
  {
    title: 'no path of one machine is written down',
    where: CODE,
    offences: matching(MACHINE_PATH),
    planted: [['lib/here.ts', `const here = '/${'home'}/me/project';`]],
  },
  {
    title: 'tests wait on a condition, and never for a while, and mock no module',
    where: 'test/**/*.test.ts',
    offences: (source) =>
      located(
        source,
        source
          .nodes('CallExpression')
          .filter((node) => /^(setTimeout|sleep|vi\.(mock|doMock))\(/.test(source.codeOf(node))),
      ),
    planted: [
      ['test/a.test.ts', 'await new Promise((go) => setTimeout(go, 100));'],
      ['test/a.test.ts', "vi.mock('@aws-sdk/client-dynamodb');"],
    ],
  },
];

/** The offences of a planted file. */
export function offencesOf(rule: TidyRule, path: string, text: string): readonly string[] {
  return rule.offences(new Source(path, text));
}
