/**
 * `npm run bench`: runs every measurement, one after the other, shows what they print, and keeps
 * it in bench/results.md together with the commands and the machine. `npm run bench -- ledger`
 * runs those of one area, and keeps what is there of the others.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { styleText } from 'node:util';

const MEASUREMENTS = [
  { area: 'ledger', title: 'Transfers over HTTP', script: 'bench/transfers.ts' },
  { area: 'ledger', title: 'A hot account, and replays', script: 'bench/hot-account.ts' },
  { area: 'ledger', title: 'Pages of a statement', script: 'bench/statements.ts' },
  { area: 'webhooks', title: 'Deliveries', script: 'bench/deliveries.ts' },
  { area: 'webhooks', title: 'Beside a receiver that hangs', script: 'bench/fairness.ts' },
  { area: 'webhooks', title: 'A backlog at 50 a second', script: 'bench/backlog.ts' },
  { area: 'webhooks', title: 'The guarded sender', script: 'bench/sender.ts' },
  { area: 'tasks', title: 'Tasks of one second', script: 'bench/tasks.ts' },
  { area: 'tasks', title: 'Very many items of one minute', script: 'bench/sweep.ts' },
  { area: 'inbox', title: 'Webhooks of others', script: 'bench/load-inbox.ts' },
  { area: 'files', title: 'The CSV scanner', script: 'bench/scanner.ts' },
  { area: 'files', title: 'Reading a file', script: 'bench/file-reading.ts' },
  { area: 'files', title: 'Alerts of a file', script: 'bench/alerts.ts' },
];
const RESULTS = new URL('results.md', import.meta.url);
const HEAD = `# Measurements

Made by \`npm run bench\`. The load generator, the receiver and the whole local cloud share the
machine, so the ratios say more than the figures.
`;

/** What the script prints, which is shown as it comes. Throws when it fails. */
async function run(script: string): Promise<string> {
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    process.stdout.write(text);
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${script} ended with ${code}`);
  return output.trimEnd();
}

function describeMachine(): string {
  const cores = cpus();
  const memoryGiB = Math.round(totalmem() / 2 ** 30);
  const facts = [
    `${cores.length} cores (${cores[0]?.model.trim()})`,
    `${memoryGiB} GiB`,
    `${process.platform} ${process.arch}`,
    `Node ${process.version}`,
    `a load of ${loadavg()[0]?.toFixed(1)} before the start`,
  ];
  return `${facts.join(', ')}, on ${new Date().toISOString().slice(0, 10)}`;
}

/** What is kept of the measurement with this title. */
function keptSection(title: string): string | undefined {
  const [, ...sections] = readFileSync(RESULTS, 'utf8').split(/^(?=## )/m);
  return sections.find((it) => it.startsWith(`## ${title}\n`))?.trimEnd();
}

const [area] = process.argv.slice(2);
const areas = new Set(MEASUREMENTS.map((it) => it.area));
if (area !== undefined && !areas.has(area)) {
  console.error(`there is no area ${area}; there are ${[...areas].join(', ')}`);
  process.exit(2);
}

const machine = describeMachine();
const sections: string[] = [];
for (const { title, script, ...it } of MEASUREMENTS) {
  if (area !== undefined && area !== it.area) {
    sections.push(keptSection(title) ?? `## ${title}\n\nnot measured yet`);
    continue;
  }
  console.log(styleText('bold', `\n${title}`));
  const output = await run(script);
  const facts = `\`node ${script}\` on ${machine}`;
  sections.push(`## ${title}\n\n${facts}\n\n\`\`\`\n${output}\n\`\`\``);
}
writeFileSync(RESULTS, `${[HEAD.trimEnd(), ...sections].join('\n\n')}\n`);
console.log('\nkept in bench/results.md');
