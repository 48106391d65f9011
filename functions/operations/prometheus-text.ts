import { type Counter, GAUGES, type Gauge, METERS } from '../shared/meter-catalogue.ts';
import { BOUNDS, type Counts, SECOND_US, seriesOf, storedName } from '../shared/meters.ts';

type GaugeName = keyof typeof GAUGES;
type Labels = Readonly<Record<string, string>>;
/** The values that each label may have. */
type Labelling = Counter['labels'];

/** A number that is what it is now; `of` is the value of the gauge's label, if it has one. */
export interface GaugeValue {
  readonly name: GaugeName;
  readonly of?: string;
  readonly value: number;
}

/**
 * Everything in the text format of Prometheus. Where a label has a closed list, what nobody has
 * counted yet is 0, so that its first count is seen as a rise. Without totals there are no counters
 * at all: a 0 would look like a fresh start.
 */
export function prometheusText(totals: Counts | undefined, gauges: readonly GaugeValue[]): string {
  const counted = totals ? Object.keys(METERS).map((it) => meterText(it, totals)) : [];
  const shown = [...Map.groupBy(gauges, ({ name }) => name)].map(([name, values]) =>
    family(name, GAUGES[name], values.map(gaugeLine)),
  );
  return [...counted, ...shown].join('');
}

function meterText(name: string, totals: Counts): string {
  const meter = METERS[name as keyof typeof METERS];
  if (meter.kind === 'histogram') return family(name, meter, histogramLines(name, totals));
  return family(name, meter, counterLines(name, meter.labels, totals));
}

function family(
  name: string,
  { kind, help }: { readonly kind: string; readonly help: string },
  lines: readonly string[],
): string {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`, ...lines, ''].join('\n');
}

function gaugeLine({ name, of, value }: GaugeValue): string {
  const gauge: Gauge = GAUGES[name];
  return `${name}${labelText(gauge.label && of ? { [gauge.label]: of } : {})} ${value}`;
}

function counterLines(name: string, labels: Labelling, totals: Counts): string[] {
  const sums = new Map<string, number>();
  for (const it of combinations(labels)) sums.set(labelText(it), totals.get(stored(name, it)) ?? 0);
  for (const [series, total] of totals) {
    const seen = labelsIn(series, name, labels);
    if (seen) sums.set(labelText(seen), total);
  }
  return [...sums].map(([text, sum]) => `${name}${text} ${sum}`);
}

function stored(name: string, labels: Labels): string {
  return storedName(seriesOf(name, labels));
}

/** Every combination of the values that the labels may have; none where some list is open. */
function combinations(labels: Labelling): Labels[] {
  return Object.entries(labels).reduce<Labels[]>(
    (all, [label, values]) =>
      values === 'seen'
        ? []
        : all.flatMap((it) => values.map((value) => ({ ...it, [label]: value }))),
    [{}],
  );
}

/** Undefined for a series of another meter, or of one that had other labels. */
function labelsIn(series: string, name: string, labels: Labelling): Labels | undefined {
  const [head, ...values] = series.split('|');
  const names = Object.keys(labels).sort();
  if (head !== storedName(name) || values.length !== names.length) return undefined;
  return Object.fromEntries(names.map((label, n) => [label, values[n] ?? '']));
}

/** Each bucket holds all that took no longer: stored are those of each bucket alone. */
function histogramLines(name: string, totals: Counts): string[] {
  let count = 0;
  const buckets = [...BOUNDS.map(String), '+Inf'].map((le) => {
    count += totals.get(storedName(`${name}|${le}`)) ?? 0;
    return `${name}_bucket${labelText({ le })} ${count}`;
  });
  const seconds = (totals.get(storedName(`${name}|sum`)) ?? 0) / SECOND_US;
  return [...buckets, `${name}_sum ${seconds}`, `${name}_count ${count}`];
}

function labelText(labels: Labels): string {
  const parts = Object.entries(labels).map(([label, value]) => `${label}="${escaped(value)}"`);
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
