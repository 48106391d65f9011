import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, expect, it } from 'vitest';
import { filesIn, hunt } from '../support/secret-hunt.ts';

const bytes = Buffer.from('thirty-two bytes of some secret!');
const webhook = { name: 'webhook', value: `whsec_${bytes.toString('base64')}` };
const key = { name: 'key', value: `th_live_01ARZ3NDEKTSV4RRFFQ69G5FAV_${'aB3-_'.repeat(8)}xyz` };
const dir = mkdtempSync(join(tmpdir(), 'tallyhook-hunt-'));
afterAll(() => rmSync(dir, { recursive: true }));

it.each([
  ['as it is', `{"secret":"${webhook.value}"}`],
  ['without its prefix', bytes.toString('base64')],
  ['as bytes', Buffer.concat([Buffer.from([0, 255]), bytes])],
  ['as hexadecimal', `0x${bytes.toString('hex')}`],
  ['as URL-safe base64', bytes.toString('base64url')],
  ['within base64', Buffer.from(`ab${webhook.value}c`).toString('base64')],
  ['in a URL', `?secret=${encodeURIComponent(webhook.value)}`],
])('finds a secret %s', (_how, content) => {
  expect(hunt([key, webhook], [{ where: 'here', content }])).toEqual([
    { secret: 'webhook', where: 'here' },
  ]);
});

it.each([0, 1, 2, 3])('finds a key in the credentials of Basic, behind %i letters', (before) => {
  const credentials = Buffer.from(`${'u'.repeat(before)}${key.value}:`).toString('base64');

  expect(hunt([key], [{ where: 'header', content: credentials }])).toHaveLength(1);
});

it('finds nothing in what is sealed, hashed or shortened', () => {
  const harmless = ['s1:1:bm9uY2U', 'e3b0c44298fc1c149afbf4c8996fb924', key.value.slice(-4)];

  expect(hunt([key, webhook], [{ where: 'x', content: harmless.join(' ') }])).toEqual([]);
});

it('looks into files, and into the cells of databases that their pages cut', () => {
  writeFileSync(join(dir, 'a.log'), `before ${key.value} after`);
  writeFileSync(join(dir, 'allowed.json'), key.value);
  const db = new DatabaseSync(join(dir, 'b.db'));
  db.exec('PRAGMA page_size = 512; CREATE TABLE t (c TEXT)');
  const long = `${'x'.repeat(460)}${webhook.value}${'x'.repeat(600)}`;
  for (let cut = 0; cut < 40; cut++) db.prepare('INSERT INTO t VALUES (?)').run(long.slice(cut));
  db.close();

  const finds = hunt([key, webhook], filesIn(dir, ['allowed.json']));

  expect(finds).toContainEqual({ secret: 'key', where: 'a.log' });
  expect(finds).toContainEqual({ secret: 'webhook', where: 'b.db: t.c' });
  expect(finds.map(({ where }) => where)).not.toContain('allowed.json');
});
