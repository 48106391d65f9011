import parse from 'parse-prometheus-text-format';

interface Sample {
  readonly value?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly buckets?: Readonly<Record<string, string>>;
  readonly count?: string;
  readonly sum?: string;
}

interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly metrics: readonly Sample[];
}

/** The text of `GET /metrics` as a parser of Prometheus reads it, by name. */
export function parseMetrics(text: string): ReadonlyMap<string, Family> {
  const families = parse(text) as readonly Family[];
  return new Map(families.map((it) => [it.name, it]));
}

/** The value of one counter or gauge. */
export function valueIn(
  families: ReadonlyMap<string, Family>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const wanted = Object.entries(labels);
  const sample = families
    .get(name)
    ?.metrics.find((it) => wanted.every(([label, value]) => it.labels?.[label] === value));
  return Number(sample?.value);
}
