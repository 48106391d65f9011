/**
 * `npm run bench`: runs every measurement, one after the other, shows what they print, and keeps
 * it in bench/results.md together with the commands and the machine.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { styleText } from 'node:util';

const MEASUREMENTS = [
  { title: 'Transfers over HTTP', script: 'bench/transfers.ts' },
  { title: 'Statements', script: 'bench/statements.ts' },
  { title: 'Deliveries', script: 'bench/deliveries.ts' },
  { title: 'The guarded sender', script: 'bench/sender.ts' },
  { title: 'The CSV scanner', script: 'bench/scanner.ts' },
];

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

const machine = describeMachine();
const sections: string[] = [];
for (const { title, script } of MEASUREMENTS) {
  console.log(styleText('bold', `\n${title}`));
  const output = await run(script);
  sections.push(`## ${title}\n\n\`node ${script}\`\n\n\`\`\`\n${output}\n\`\`\`\n`);
}
const head = `# Measurements

Made by \`npm run bench\` on ${machine}.
The load generator, the receiver and the whole local cloud share this machine, so the ratios say
more than the figures.
`;
writeFileSync(new URL('results.md', import.meta.url), [head, ...sections].join('\n'));
console.log('\nkept in bench/results.md');
