import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, inject, it } from 'vitest';
import { freePort } from '../../local/http/free-port.ts';
import { until } from '../support/until.ts';

const { apiUrl, adminKey } = inject('cloud');
/** What the quickstart leaves in the folder in which it runs. */
const LEFT_BEHIND = ['receiver.log', 'alerts.csv', 'users.csv'];
let group: number | undefined;
afterAll(async () => {
  if (group !== undefined) process.kill(-group, 'SIGTERM');
  await Promise.all(LEFT_BEHIND.map((it) => rm(it, { force: true })));
});

it('does what the quickstart says, as it is printed but for the ports', async () => {
  const lines = await blockOf('Quickstart');
  expect(lines.trimEnd().split('\n').length).toBeLessThanOrEqual(25);
  const script = lines
    .replaceAll(/(--port |localhost:)4000/g, `$1${await freePort(0)}`)
    .replaceAll('http://localhost:3000', () => apiUrl.replaceAll('$', '\\$'));

  const shell = spawn('bash', ['-euo', 'pipefail', '-c', script], {
    env: { ...process.env, ADMIN_KEY: adminKey },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  group = shell.pid;
  const [said, complained]: [string[], string[]] = [[], []];
  shell.stdout.on('data', (chunk) => said.push(String(chunk)));
  shell.stderr.on('data', (chunk) => complained.push(String(chunk)));
  const [code] = await once(shell, 'exit');

  const made = '1000 rows: 1000 users, 0 duplicates, 0 malformed\n';
  // The end of a process may be known before all that it has said was read.
  await until(
    () => [said, complained].map((it) => it.join('')),
    ([out = '', err = '']) =>
      code !== 0 || (out.includes('completed') && err.length >= made.length),
  );
  expect([code, complained.join('')]).toEqual([0, made]);
  expect(said.join('')).toContain('"balance":"2500"');
  const alerts = await until(
    () => readFile('alerts.csv', 'utf8').catch(() => ''),
    (it) => it.trim().split('\n').length >= 1_000,
  );
  expect(new Set(alerts.trim().split('\n')).size).toBe(1_000);
});

it('makes the first tenant of a deployment, by the file that `cdk deploy` writes', async () => {
  expect(await blockOf('Deploy')).toContain('npx cdk deploy --outputs-file outputs.json');
  const folder = await mkdtemp(join(tmpdir(), 'tallyhook-deploy-'));
  const outputs = { Tallyhook: { ApiUrl: apiUrl, AdminKeySecretName: 'arn:the-secret' } };
  await writeFile(join(folder, 'outputs.json'), JSON.stringify(outputs));
  // Nobody has the command of AWS here: it answers the key when it is asked for that secret.
  const asked = 'secretsmanager get-secret-value --secret-id arn:the-secret';
  const aws = `aws() { case "$*" in "${asked} "*) echo "$KEY";; *) return 1;; esac; }\n`;

  const env = { ...process.env, KEY: adminKey };
  const script = aws + (await blockOf('Deploy', 1));
  const args = ['-euo', 'pipefail', '-c', script];
  const { stdout } = await promisify(execFile)('bash', args, { env, cwd: folder });

  expect(JSON.parse(stdout)).toMatchObject({ name: 'Acme', apiKey: { key: expect.any(String) } });
  await rm(folder, { recursive: true });
});

/** The lines of a section's first block, or of a later one. */
async function blockOf(section: string, at = 0): Promise<string> {
  const readme = await readFile('README.md', 'utf8');
  const [, text = ''] = readme.split(`## ${section}\n`);
  const block = [...text.matchAll(/```sh\n(.*?)```/gs)][at]?.[1];
  if (!block) throw new Error(`the README has no such lines below ${section}`);
  return block;
}
