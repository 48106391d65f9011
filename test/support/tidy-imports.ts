import { posix } from 'node:path';
import type { Source } from './source.ts';

/** The rooms from the top down, each with the rooms that it may use beside `shared`. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  shared: [],
  timers: [],
  tenants: [],
  events: [],
  webhooks: ['events'],
  ledger: ['events'],
  files: ['events', 'webhooks'],
  tasks: ['events', 'ledger'],
  inbox: ['events'],
  audit: ['events', 'ledger'],
  docs: [],
  operations: [
    'timers',
    'tenants',
    'events',
    'webhooks',
    'ledger',
    'files',
    'tasks',
    'inbox',
    'audit',
    'docs',
  ],
};

/** What every room may use: how `due` is written, who is calling, and what a tenant may have. */
const FOR_ALL_ROOMS = [
  'functions/timers/due.ts',
  'functions/tenants/authenticate.ts',
  'functions/tenants/find-limits.ts',
  'functions/tenants/take-events.ts',
  'functions/tenants/take-token.ts',
  'functions/webhooks/find-addressee.ts',
  'functions/webhooks/find-states.ts',
];

/** The files of `functions` that the deployment may know. */
const FOR_LIB = /^functions\/(\w+\/contract|shared\/(config|meter-catalogue))\.ts$/;

/** Which packages the files of a role may use at run time. Node's own are free. */
const PACKAGES: readonly [RegExp, readonly string[]][] = [
  [/^functions\/shared\/aws\//, ['@aws-sdk/', '@middy/core', 'zod']],
  [/^functions\/shared\/http\/api\.ts$/, ['@middy/core', 'zod']],
  [/^functions\/shared\//, ['zod', 'ulid', 'ipaddr.js']],
  [/^functions\/\w+\/(contract|[\w-]+(\.contract|\.store|-message))\.ts$/, ['zod']],
];

/** The first word of a use case's name. Any other file of a room is a noun. */
const VERBS = new Set(
  `authenticate block cancel capture care change check choose claim commit create defer
  delete deliver disable drop end expire find finish fire forward gather get keep list mark park
  parse pause post probe project publish read rebuild receive reconcile recover redrive
  refuse relay release remember remind renew repair reseal revoke rotate save scan send settle
  sign split store sweep take tell test update void watch`.split(/\s+/),
);

const ENTRY = /^(((admin|change|delivery|read|replay|source|test)-)?api|on-[a-z-]+)$/;

/** What may be in a file of a room. */
export type Role = 'contract' | 'store' | 'entry' | 'use case' | 'noun';

/** The role of a file in a room, by its name. */
export function roleOf(path: string): Role {
  const name = posix.basename(path, '.ts');
  if (name === 'contract' || name.endsWith('.contract')) return 'contract';
  if (name.endsWith('.store')) return 'store';
  if (ENTRY.test(name)) return 'entry';
  // One blocks an endpoint and releases what is held; each of the words alone is a thing.
  if (name === 'block' || name === 'release') return 'noun';
  return VERBS.has(name.split('-')[0] ?? '') ? 'use case' : 'noun';
}

/** Whether the path is that of a file in a room other than `shared`. */
export function isInRoom(path: string): boolean {
  return /^functions\/(?!shared\/)\w+\/[^/]+\.ts$/.test(path);
}

/** What this file imports although it may not, each with the reason. */
export function importOffences(source: Source): string[] {
  return source.imports().flatMap(({ from, typesOnly }) => {
    const to = from.startsWith('.')
      ? posix.normalize(posix.join(posix.dirname(source.path), from))
      : from;
    const offence = from.startsWith('.')
      ? betweenFiles(source.path, to) || betweenRoles(source.path, to, typesOnly)
      : ofPackage(source.path, from, typesOnly);
    return offence ? [`${to}: ${offence}`] : [];
  });
}

function betweenFiles(from: string, to: string): string | undefined {
  const house = (path: string) => path.split('/')[0] ?? '';
  if (from === 'bin/app.ts' && house(to) !== 'lib') return 'the app knows lib only';
  if (house(from) === 'bin' && !/^(bin|lib|functions)$/.test(house(to))) {
    return 'a command knows what is deployed only';
  }
  if (house(from) === 'lib' && house(to) !== 'lib' && !FOR_LIB.test(to)) {
    return 'lib knows contracts, the options and the meters only';
  }
  if (house(from) !== 'functions') return undefined;
  if (house(to) !== 'functions') return 'functions never know how they are deployed or tested';
  const [, mine = ''] = from.split('/');
  const [, theirs = ''] = to.split('/');
  if (mine === theirs || theirs === 'shared') return undefined;
  if (mine !== 'shared' && FOR_ALL_ROOMS.includes(to)) return undefined;
  return ROOMS[mine]?.includes(theirs) ? undefined : `the room ${mine} may not use ${theirs}`;
}

/** All of `shared` but what does I/O or looks at the environment. */
const WITHOUT_IO = /^(?!.*\/(aws|system|config|environment|resources)\b)/;

/** What the files of a role may know at run time, within their rooms and in `shared`. */
const KNOWN_TO: Readonly<Record<Role, { rooms: readonly Role[]; shared: RegExp }>> = {
  contract: {
    rooms: ['contract', 'noun'],
    shared: /\/(wire|money-wire|units|sortable|http\/route)\.ts$/,
  },
  noun: { rooms: ['noun', 'contract'], shared: WITHOUT_IO },
  store: { rooms: ['noun', 'store'], shared: WITHOUT_IO },
  'use case': {
    rooms: ['noun', 'store', 'contract', 'use case'],
    shared: WITHOUT_IO,
  },
  entry: { rooms: ['noun', 'contract', 'use case'], shared: /./ },
};

function betweenRoles(from: string, to: string, typesOnly: boolean): string | undefined {
  if (!isInRoom(from) || typesOnly) return undefined;
  const role = roleOf(from);
  const known = KNOWN_TO[role];
  const isKnown = isInRoom(to) ? known.rooms.includes(roleOf(to)) : known.shared.test(to);
  return isKnown ? undefined : `a file of the role ${role} may not know it`;
}

function ofPackage(from: string, name: string, typesOnly: boolean): string | undefined {
  if (!from.startsWith('functions/') || typesOnly || name.startsWith('node:')) return undefined;
  const [, allowed = []] = PACKAGES.find(([pattern]) => pattern.test(from)) ?? [];
  const decodes = isInRoom(from) && ['entry', 'use case'].includes(roleOf(from));
  if (decodes && name === 'zod') return undefined;
  if (allowed.some((it) => name === it || name.startsWith(it))) return undefined;
  return 'this role may not use this package';
}
