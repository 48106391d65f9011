import { toInstant } from '../shared/wire.ts';
import type { Audit } from './audit.ts';

/** The audit as the API shows it. */
export function auditView(audit: Audit) {
  const { id, status, checked, violations, offenders, undecided, error } = audit;
  return {
    id,
    object: 'audit' as const,
    status,
    createdAt: toInstant(audit.createdAtMs),
    finishedAt: audit.finishedAtMs === undefined ? undefined : toInstant(audit.finishedAtMs),
    checked: { ...checked },
    violations: { ...violations },
    offenders: offenders.map((it) => ({ ...it })),
    undecided,
    error: error && { ...error },
  };
}
