import { readFileSync } from 'node:fs';
import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { optionsOf } from '../../lib/options.ts';
import { TallyhookStack } from '../../lib/tallyhook-stack.ts';

const CDK_JSON: { context: Record<string, unknown> } = JSON.parse(readFileSync('cdk.json', 'utf8'));

/** The app as the CDK would run it with these `-c name=value`, but without bundles. */
export function appWith(context: Record<string, unknown> = {}): App {
  const withoutBundles = { 'aws:cdk:bundling-stacks': [] };
  return new App({
    analyticsReporting: false,
    context: { ...CDK_JSON.context, ...withoutBundles, ...context },
  });
}

/** The stack of that app, on a machine with this `AWS_ENDPOINT_URL`. */
export function stackIn(app: App, endpointUrl?: string): TallyhookStack {
  return new TallyhookStack(app, 'Tallyhook', { options: optionsOf(app, endpointUrl) });
}

/** A resource as CloudFormation reads it. */
export interface Resource {
  readonly Type: string;
  readonly Properties: Record<string, unknown>;
  readonly DeletionPolicy?: string;
}

/** The resources of a template by logical id. */
export type Resources = Readonly<Record<string, Resource>>;

/** The resources of the stack with these options. */
export function resourcesWith(context: Record<string, unknown> = {}): Resources {
  return Template.fromStack(stackIn(appWith(context))).toJSON().Resources;
}

/** The resources of one type, `SQS::Queue`, with their logical ids. */
export function ofType(resources: Resources, type: string): [string, Resource][] {
  return Object.entries(resources).filter(([, { Type }]) => Type === `AWS::${type}`);
}

/** What lies at a dotted path, `RedrivePolicy.maxReceiveCount`; undefined when nothing does. */
export function at(value: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((it, key) => (it as Record<string, unknown> | undefined)?.[key], value);
}

/** Whether a property names this logical id, by whichever intrinsic. */
export function refersTo(value: unknown, id: string): boolean {
  return JSON.stringify(value ?? null).includes(`"${id}"`);
}

/** The statements of a policy resource. */
export function statementsOf({ Properties }: Resource): Statement[] {
  return (at(Properties, 'PolicyDocument.Statement') ?? []) as Statement[];
}

/** One statement of an IAM or resource policy. */
export interface Statement {
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: string | string[];
  readonly Resource: unknown;
  readonly Condition?: unknown;
}
