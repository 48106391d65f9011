/**
 * A warm Lambda instance: loads the handler once, then answers one event after the other.
 * Arguments: the file of the bundle, and the name of its export.
 */
import { flushCompileCache } from 'node:module';
import { pathToFileURL } from 'node:url';

interface Invocation {
  readonly event: unknown;
  readonly requestId: string;
  readonly deadlineMs: number;
}

const [file = '', exportName = ''] = process.argv.slice(2);
const { AWS_LAMBDA_FUNCTION_NAME, AWS_LAMBDA_FUNCTION_MEMORY_SIZE, AWS_REGION } = process.env;

// The parent is gone, perhaps by kill -9: whoever works without it would work for nobody.
process.on('disconnect', () => process.exit());

// For Node alone, which has read it: the function sees the environment of its template.
delete process.env.NODE_COMPILE_CACHE;

const failureOf = (error: unknown) =>
  error instanceof Error
    ? { errorType: error.name, errorMessage: error.message, trace: error.stack?.split('\n') }
    : { errorType: typeof error, errorMessage: String(error) };

const functionArn = `arn:aws:lambda:${AWS_REGION}:000000000000:function`;

const contextOf = ({ requestId, deadlineMs }: Invocation) => ({
  awsRequestId: requestId,
  functionName: AWS_LAMBDA_FUNCTION_NAME,
  functionVersion: '$LATEST',
  invokedFunctionArn: `${functionArn}:${AWS_LAMBDA_FUNCTION_NAME}`,
  memoryLimitInMB: AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
  logGroupName: `/aws/lambda/${AWS_LAMBDA_FUNCTION_NAME}`,
  logStreamName: String(process.pid),
  callbackWaitsForEmptyEventLoop: true,
  getRemainingTimeInMillis: () => Math.max(0, deadlineMs - Date.now()),
});

try {
  const handler = (await import(pathToFileURL(file).href))[exportName];
  if (typeof handler !== 'function') throw new Error(`${file} exports no "${exportName}"`);
  process.on('message', async (invocation: Invocation) => {
    try {
      const result = await handler(invocation.event, contextOf(invocation));
      process.send?.({ kind: 'result', result });
    } catch (error) {
      process.send?.({ kind: 'failure', failure: failureOf(error) });
    }
  });
  process.send?.({ kind: 'ready' });
  // Instances end by a kill, before which Node would not write down what it has compiled.
  flushCompileCache();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
  process.exit(1);
}
