import type { App } from 'aws-cdk-lib';
import { type Options, readOptions } from '../functions/shared/config.ts';

/** Context that belongs to the CDK itself: its names have a colon, but for this one. */
const isOfCdk = (name: string) => name.includes(':') || name === 'cli-telemetry';

/**
 * The options in the context of an app (`cdk … -c name=value`). Throws with the name of each
 * option that is unknown or out of its range, and refuses `egress=loopback` anywhere but on a
 * local cloud: on AWS it would let tenants reach the Lambda's own address.
 */
export function optionsOf(app: App, endpointUrl: string | undefined): Options {
  const context = Object.entries(app.node.getAllContext());
  const options = readOptions(Object.fromEntries(context.filter(([name]) => !isOfCdk(name))));
  if (options.egress === 'loopback' && !isLoopback(endpointUrl)) {
    throw new Error(
      'egress: loopback is for a local cloud only, where AWS_ENDPOINT_URL is a loopback address',
    );
  }
  return options;
}

function isLoopback(url: string | undefined): boolean {
  if (url === undefined || !URL.canParse(url)) return false;
  return ['127.0.0.1', '[::1]', 'localhost'].includes(new URL(url).hostname);
}
