import { readFileSync } from 'node:fs';
import { LocalFailure } from './failure.ts';

export type Properties = Readonly<Record<string, unknown>>;

export interface Resource {
  readonly id: string;
  readonly type: string;
  readonly properties: Properties;
}

export interface Template {
  readonly resources: readonly Resource[];
  readonly outputs: Readonly<Record<string, unknown>>;
}

/** What the local cloud makes. */
export const MADE_TYPES = [
  'AWS::ApiGatewayV2::Api',
  'AWS::ApiGatewayV2::Integration',
  'AWS::ApiGatewayV2::Route',
  'AWS::ApiGatewayV2::Stage',
  'AWS::DynamoDB::GlobalTable',
  'AWS::DynamoDB::Table',
  'AWS::Events::Rule',
  'AWS::Lambda::EventSourceMapping',
  'AWS::Lambda::Function',
  'AWS::S3::Bucket',
  'AWS::SQS::Queue',
  'AWS::SecretsManager::Secret',
] as const;

/** What means nothing on one machine: rights, alarms, and where logs go. */
export const IGNORED_TYPES: readonly string[] = [
  'AWS::CDK::Metadata',
  'AWS::CloudWatch::Alarm',
  'AWS::CloudWatch::CompositeAlarm',
  'AWS::CloudWatch::Dashboard',
  'AWS::IAM::ManagedPolicy',
  'AWS::IAM::Policy',
  'AWS::IAM::Role',
  'AWS::Lambda::EventInvokeConfig',
  'AWS::Lambda::Permission',
  'AWS::Logs::LogGroup',
  'AWS::Logs::MetricFilter',
  'AWS::S3::BucketPolicy',
  'AWS::SNS::Topic',
  'AWS::SNS::TopicPolicy',
  'AWS::SQS::QueuePolicy',
];

export type MadeType = (typeof MADE_TYPES)[number];

/** Reads a synthesised template. Refuses a resource type that it neither makes nor ignores. */
export function readTemplate(file: string): Template {
  return parseTemplate(readFileSync(file, 'utf8'));
}

export function parseTemplate(text: string): Template {
  const { Resources = {}, Outputs = {} } = JSON.parse(text) as {
    Resources?: Record<string, { Type: string; Properties?: Properties; Condition?: string }>;
    Outputs?: Record<string, { Value: unknown }>;
  };
  const resources = Object.entries(Resources).map(([id, { Type, Properties, Condition }]) => {
    const isMade = MADE_TYPES.some((type) => type === Type);
    if (!isMade && !IGNORED_TYPES.includes(Type)) {
      throw new LocalFailure(`${id}: the local cloud does not know the resource type ${Type}`);
    }
    if (isMade && Condition) {
      throw new LocalFailure(`${id}: the local cloud does not know conditions (${Condition})`);
    }
    return { id, type: Type, properties: Properties ?? {} };
  });
  const outputs = Object.fromEntries(
    Object.entries(Outputs).map(([name, { Value }]) => [name, Value]),
  );
  return { resources, outputs };
}

export function resourcesOf(template: Template, ...types: readonly MadeType[]): Resource[] {
  return template.resources.filter(({ type }) => types.some((wanted) => wanted === type));
}

/** What a template may ask of the outside: pseudo parameters, references and attributes. */
export interface References {
  /** `Ref`; undefined when there is no such thing. */
  ref(name: string): unknown;
  /** `Fn::GetAtt`; undefined when the resource has no such attribute. */
  attribute(id: string, name: string): unknown;
}

/** Stands for `AWS::NoValue`: the property that holds it is left out. */
export const NO_VALUE = Symbol('AWS::NoValue');

/**
 * Replaces the intrinsic functions in a value. `where` names the resource in the failure that an
 * unknown function, reference or attribute is.
 */
export function resolve(value: unknown, references: References, where: string): unknown {
  const inner = (it: unknown) => resolve(it, references, where);
  if (Array.isArray(value)) return value.map(inner).filter((it) => it !== NO_VALUE);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  const [name = '', argument] = entries.length === 1 ? (entries[0] ?? []) : [];
  if (name === 'Ref') return known(references.ref(String(argument)), `Ref ${argument}`, where);
  if (name.startsWith('Fn::')) return call(name, argument, { references, where, inner });
  return Object.fromEntries(
    entries.map(([key, it]) => [key, inner(it)] as const).filter(([, it]) => it !== NO_VALUE),
  );
}

interface Resolving {
  readonly references: References;
  readonly where: string;
  readonly inner: (value: unknown) => unknown;
}

function call(name: string, argument: unknown, resolving: Resolving): unknown {
  const { inner, where } = resolving;
  switch (name) {
    case 'Fn::GetAtt':
      return attribute(argument, resolving);
    case 'Fn::Join': {
      const [separator, parts] = argument as [string, unknown];
      return (inner(parts) as unknown[]).join(separator);
    }
    case 'Fn::Split': {
      const [separator, text] = argument as [string, unknown];
      return String(inner(text)).split(separator);
    }
    case 'Fn::Select': {
      const [index, list] = argument as [string | number, unknown];
      return known((inner(list) as unknown[])[Number(index)], `Fn::Select ${index}`, where);
    }
    case 'Fn::Sub':
      return substitute(argument, resolving);
    default:
      throw new LocalFailure(`${where}: the local cloud does not know the function ${name}`);
  }
}

/** `Fn::GetAtt` takes `[id, name]` or `id.name`. */
function attribute(argument: unknown, { references, where }: Resolving): unknown {
  const [id = '', ...rest] = Array.isArray(argument) ? argument : String(argument).split('.');
  const name = rest.join('.');
  return known(references.attribute(id, name), `Fn::GetAtt ${id}.${name}`, where);
}

/** `Fn::Sub` takes a text, or a text and a map of its own names. `${!name}` stays as `${name}`. */
function substitute(argument: unknown, resolving: Resolving): string {
  const [text, names] = Array.isArray(argument) ? argument : [argument, {}];
  return String(text).replaceAll(/\$\{([^}]+)\}/g, (_, name: string) => {
    if (name.startsWith('!')) return `\${${name.slice(1)}}`;
    if (Object.hasOwn(names, name)) return String(resolving.inner(names[name]));
    const intrinsic = name.includes('.') ? { 'Fn::GetAtt': name } : { Ref: name };
    return String(resolving.inner(intrinsic));
  });
}

function known(value: unknown, what: string, where: string): unknown {
  if (value === undefined) {
    throw new LocalFailure(`${where}: the local cloud cannot resolve ${what}`);
  }
  return value;
}
