import { CfnOutput, Duration, RemovalPolicy, Validations } from 'aws-cdk-lib';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import {
  HttpApi,
  type HttpMethod,
  HttpRoute,
  HttpRouteKey,
  HttpStage,
  LogGroupLogDestination,
} from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import type { Metric } from 'aws-cdk-lib/aws-cloudwatch';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { Settings } from './settings.ts';

/** What a room with routes is built with. */
export interface RoomProps {
  readonly settings: Settings;
  readonly api: PlatformApi;
}

/** What mounting needs to know of a route: its path as API Gateway writes it, `/v1/keys/{id}`. */
export interface Mountable {
  readonly method: string;
  readonly path: string;
}

const LOG_FIELDS = {
  requestId: '$context.requestId',
  at: '$context.requestTimeEpoch',
  route: '$context.routeKey',
  status: '$context.status',
  ms: '$context.responseLatency',
  bytes: '$context.responseLength',
  error: '$context.integrationErrorMessage',
};

/** The HTTP API. It answers the routes of the contracts; `$default` answers all others. */
export class PlatformApi extends Construct {
  readonly #http: HttpApi;

  constructor(scope: Construct, id: string, { options }: Settings) {
    super(scope, id);
    this.#http = new HttpApi(this, 'Http', { apiName: 'tallyhook', createDefaultStage: false });
    const logGroup = new LogGroup(this, 'AccessLog', {
      retention: options.logRetentionDays,
      removalPolicy: options.stage === 'prod' ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    new HttpStage(this, 'Stage', {
      httpApi: this.#http,
      stageName: '$default',
      autoDeploy: true,
      accessLogSettings: {
        destination: new LogGroupLogDestination(logGroup),
        format: AccessLogFormat.custom(JSON.stringify(LOG_FIELDS)),
      },
    });
    Validations.of(this).acknowledge({
      id: 'AwsSolutions-APIG4',
      reason: 'Each function checks the API key itself, by the scope in the contract of the route.',
    });
    new CfnOutput(scope, 'ApiUrl', { value: this.#http.apiEndpoint });
    new CfnOutput(scope, 'ApiId', { value: this.#http.apiId });
  }

  /** Where API Gateway answers: `https://` and a host. */
  get endpoint(): string {
    return this.#http.apiEndpoint;
  }

  /** What API Gateway measures itself: `Count`, `4xx`, `5xx`, `Latency`. */
  metric(name: string, statistic: string): Metric {
    return this.#http.metric(name, { period: Duration.minutes(1), statistic });
  }

  /** Sends exactly these routes to the function. */
  mount(handler: IFunction, routes: readonly Mountable[]): void {
    const integration = this.#integrate(handler);
    for (const { method, path } of routes) {
      this.#http.addRoutes({ path, methods: [method as HttpMethod], integration });
    }
  }

  /** Sends to the function whatever no route answers. */
  mountDefault(handler: IFunction): void {
    new HttpRoute(this, 'Default', {
      httpApi: this.#http,
      routeKey: HttpRouteKey.DEFAULT,
      integration: this.#integrate(handler),
    });
  }

  #integrate(handler: IFunction): HttpLambdaIntegration {
    // One permission for the function instead of one for each of its routes.
    return new HttpLambdaIntegration('Integration', handler, { scopePermissionToRoute: false });
  }
}
