import {
  type Counter,
  GAUGES,
  type Gauge,
  METERS,
} from '../../functions/shared/meter-catalogue.ts';
import { BOUNDS } from '../../functions/shared/meters.ts';

/** More values than this are not listed, but named by where they come from. */
const LISTED_MAX = 10;

/** All metrics of `GET /metrics`, as tables of Markdown: functions/shared/meter-catalogue.ts. */
export function metricTable(): string {
  const counted = Object.entries(METERS);
  const counters = counted.flatMap(([name, it]) => (it.kind === 'counter' ? [row(name, it)] : []));
  const histograms = counted.flatMap(([name, it]) =>
    it.kind === 'histogram' ? [`| \`${name}\` | ${it.help} |`] : [],
  );
  const gauges = Object.entries(GAUGES).map(([name, it]: [string, Gauge]) => {
    return `| \`${name}\` | ${it.label ? `\`${it.label}\`` : ''} | ${it.help} |`;
  });
  return [
    '',
    '### Counters',
    '',
    '| name | labels | tells |',
    '| --- | --- | --- |',
    ...counters,
    '',
    '### Histograms',
    '',
    `Each has the buckets ${BOUNDS.map(String).join(', ')} and \`+Inf\`, in seconds.`,
    '',
    '| name | tells |',
    '| --- | --- |',
    ...histograms,
    '',
    '### Gauges',
    '',
    '| name | label | tells |',
    '| --- | --- | --- |',
    ...gauges,
    '',
    '',
  ].join('\n');
}

function row(name: string, { help, labels }: Pick<Counter, 'help' | 'labels'>): string {
  const shown = Object.entries(labels).map(([label, values]) =>
    values === 'seen' || values.length > LISTED_MAX
      ? `\`${label}\``
      : `\`${label}\`: ${values.join(', ')}`,
  );
  return `| \`${name}\` | ${shown.join('<br>')} | ${help} |`;
}
