import { createServer, type Server } from 'node:http';
import { listen } from '../../../local/http/listen.ts';
import { routeKey } from './call.ts';
import { type Finding, type FuzzTarget, runSession } from './session.ts';

/** How much is asked, and where chance begins. */
export interface CampaignPlan {
  readonly requests: number;
  /** The seed of the first session; the next one has the next number. */
  readonly seed: number;
}

/** What came of all sessions. */
export interface CampaignResult {
  readonly requests: number;
  readonly tenantIds: readonly string[];
  /** One text for each kind of fault, with a request that shows it. */
  readonly findings: readonly string[];
  /** `POST /v1/accounts valid 201` → how often. */
  readonly counts: ReadonlyMap<string, number>;
  /** Routes that never once did what a valid request asked of them. */
  readonly unreached: readonly string[];
}

/** A tenant of so many requests has some of everything, and not so much that it slows down. */
export const SESSION_REQUESTS = 250;

/** Sessions side by side: enough to keep two processors busy. */
const SIDE_BY_SIDE = 8;

/** So many kinds of faults are enough for one reading. */
const FINDINGS_MAX = 20;

/** Runs sessions until `requests` are made, or too many kinds of faults are found. */
export async function runCampaign(
  target: FuzzTarget,
  { requests, seed }: CampaignPlan,
): Promise<CampaignResult> {
  const tally = new Tally();
  const sizes = sessionSizes(requests);
  const seeds = sizes.keys();
  const worker = async () => {
    for (const index of seeds) {
      if (tally.findings.size >= FINDINGS_MAX) return;
      const size = sizes[index] ?? 0;
      const session = await runSession(target, { seed: seed + index, requests: size });
      tally.add(session, { seed: seed + index, requests: size });
    }
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, worker));
  const reached = (route: string) =>
    [...tally.counts.keys()].some((it) => it.startsWith(`${route} valid 2`));
  return {
    requests: tally.requests,
    tenantIds: tally.tenantIds,
    findings: [...tally.findings.values()],
    counts: tally.counts,
    unreached: target.contracts.map(routeKey).filter((it) => !reached(it)),
  };
}

/** A receiver for the webhooks of fuzzed tenants: it takes them, and that is all. */
export async function startSink(): Promise<{ readonly url: string; close(): void }> {
  const server: Server = createServer((request, response) => {
    request.resume();
    response.writeHead(204).end();
  });
  const port = await listen(server, 0);
  return {
    url: `http://127.0.0.1:${port}/fuzz`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

function sessionSizes(requests: number): number[] {
  const count = Math.ceil(requests / SESSION_REQUESTS);
  return Array.from({ length: count }, (_one, index) =>
    Math.min(SESSION_REQUESTS, requests - index * SESSION_REQUESTS),
  );
}

class Tally {
  readonly tenantIds: string[] = [];
  readonly findings = new Map<string, string>();
  readonly counts = new Map<string, number>();
  requests = 0;

  add(
    session: Awaited<ReturnType<typeof runSession>>,
    { seed, requests }: { readonly seed: number; readonly requests: number },
  ): void {
    this.requests += requests;
    this.tenantIds.push(session.tenantId);
    for (const [name, count] of session.counts) {
      this.counts.set(name, (this.counts.get(name) ?? 0) + count);
    }
    for (const finding of session.findings) {
      const kind = `${routeKey(finding.call.contract)} ${finding.complaints.join('; ')}`;
      if (this.findings.has(kind)) continue;
      this.findings.set(kind, describeFinding(finding, { seed, requests }));
    }
  }
}

/** For a person who has to find the fault: what was asked, what came, and how to see it again. */
function describeFinding(
  { step, call, answer, complaints }: Finding,
  { seed, requests }: { readonly seed: number; readonly requests: number },
): string {
  const body = typeof call.body === 'string' ? call.body : Buffer.from(call.body ?? []).toString();
  return [
    `${call.contract.method} ${call.target}: ${complaints.join('; ')}`,
    `  sent (${call.what}): ${JSON.stringify(call.headers)} ${body.slice(0, 2_000)}`,
    `  got: ${answer.status} ${answer.text.slice(0, 1_000)}`,
    `  again: npm run fuzz -- --requests ${requests} --seed ${seed} (request ${step})`,
  ].join('\n');
}
