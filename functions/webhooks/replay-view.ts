import { toInstant } from '../shared/wire.ts';
import { publicId, type Release, type ReleasedStatus } from './release.ts';

/** A replay as its tenant sees it. */
export function replayView(release: Release) {
  const { wants, status, share, matched, sent } = release;
  const { fromMs = 0, toMs = 0 } = wants.between ?? {};
  return {
    id: publicId(release),
    object: 'replay' as const,
    endpointId: release.endpointId as `end_${string}`,
    status,
    from: toInstant(fromMs),
    to: toInstant(toMs),
    statuses: wants.statuses.filter(isReplayed),
    eventTypes: wants.eventTypes && [...wants.eventTypes],
    rateShare: share,
    ...{ matched, sent },
    createdAt: toInstant(release.createdAtMs),
  };
}

/** Of what only releases are about that no tenant has described. */
const UNSHOWN = ['held', 'waiting', 'retrying', 'pending'] as const;

function isReplayed(
  status: ReleasedStatus,
): status is Exclude<ReleasedStatus, (typeof UNSHOWN)[number]> {
  return !(UNSHOWN as readonly string[]).includes(status);
}
