/**
 * The small stack as a process of its own, for tests that kill it. Arguments: the folder of the
 * assembly and that of the state. Prints one line of JSON when it is ready.
 */
import { join } from 'node:path';
import { startLocalCloud } from '../../local/local-cloud.ts';

const [dir = '', stateDir = ''] = process.argv.slice(2);
const assembly = { dir, templateFile: join(dir, 'Tallyhook.template.json') };
const { apiUrl, adminKey, endpoints } = await startLocalCloud({ stateDir, assembly });
process.stdout.write(`${JSON.stringify({ apiUrl, adminKey, endpoints })}\n`);
