import { ArnFormat, CfnOutput, Duration, Stack } from 'aws-cdk-lib'
import { HttpIamAuthorizer, HttpJwtAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers'
import { type IMetric, MathExpression, Stats } from 'aws-cdk-lib/aws-cloudwatch'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Construct } from 'constructs'
import { acknowledge } from '../acknowledge.ts'
import { type Config, deliversInVpc, setDecisionEnvironment, setSignInEnvironment } from '../config.ts'
import type { ValidateConnector } from '../delivery/validate-connector.ts'
import type { EventApi } from '../events/event-api.ts'
import type { MailQueues } from '../queues/mail-queues.ts'
import type { ConnectorsTable } from '../storage/connectors-table.ts'
import type { MessagesTable } from '../storage/messages-table.ts'
import type { TransportTable } from '../storage/transport-table.ts'
import { UnitFunction } from '../unit.ts'
import { AdministratorApi, type AdministratorApiProps } from './administrator-api.ts'
import { ApiDomain } from './api-domain.ts'

export interface ConnectorApiProps {
  readonly config: Config
  readonly queues: MailQueues
  readonly connectors: ConnectorsTable
  readonly messages: MessagesTable
  readonly transport: TransportTable
  readonly validate: ValidateConnector
  readonly eventApi: EventApi
}

/**
 * The API for administrators: for machines, whose requests have an AWS signature, and with the setting `jwt` also for
 * people who sign in. These are two HTTP APIs with the same functions, because a route has only one authorizer, and a
 * Lambda authorizer cannot verify an AWS signature.
 */
export class ConnectorApi extends Construct {
  readonly handler: UnitFunction
  private readonly api: AdministratorApi
  /** Null without the setting `jwt`. */
  private readonly signInApi: AdministratorApi | null

  constructor(scope: Construct, id: string, props: ConnectorApiProps) {
    super(scope, id)
    const { config, queues, connectors, messages, transport, validate, eventApi } = props
    this.handler = new UnitFunction(this, 'Function', {
      unit: 'connector-api',
      description: 'Connectors, accepted domains and the message trace',
      config,
      limits: config.functions.api,
    })
    connectors.grantReadWrite(this.handler)
    messages.grantHistory(this.handler)
    messages.grantAdministratorRequests(this.handler)
    transport.grantReceivedReports(this.handler)
    transport.grantObserved(this.handler)
    for (const queue of queues.all) queue.grantRedrive(this.handler)
    queues.events.grantSend(this.handler)
    this.grantAlarms()
    setDecisionEnvironment(config, this.handler)
    setSignInEnvironment(config, this.handler)
    this.handler.addEnvironment('DELIVERS_IN_VPC', String(deliversInVpc(config)))
    this.handler.addEnvironment('VALIDATES_DNSSEC', String(config.dnsServers.length > 0))
    this.handler.addEnvironment('SUMMARIES', summaryPeriods(config).join(','))
    const functions = {
      config,
      handler: this.handler,
      validate: validate.handler,
      eventApi: eventApi.handler,
    }
    this.api = new AdministratorApi(this, 'Api', {
      ...functions,
      authorizer: { defaultAuthorizer: new HttpIamAuthorizer() },
    })
    const description = 'Connectors and message trace, for requests with an AWS signature'
    const value = this.addDomain(config) ?? this.api.apiEndpoint
    new CfnOutput(this, 'Url', { value, description }).overrideLogicalId('ApiUrl')
    this.signInApi = config.jwt ? this.addSignIn(config.jwt, functions) : null
  }

  /**
   * A request for the alarms with a prefix needs the permission for all metric alarms: CloudWatch authorises it for
   * `alarm:*` (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html).
   */
  private grantAlarms(): void {
    const resource = Stack.of(this).formatArn({
      service: 'cloudwatch',
      resource: 'alarm',
      resourceName: '*',
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    })
    this.handler.addToRolePolicy(
      new PolicyStatement({ actions: ['cloudwatch:DescribeAlarms'], resources: [resource] }),
    )
    acknowledge(
      this.handler.permissions,
      'CloudWatch lists alarms only for a principal that may read all.',
      'IAM5[Resource::arn:<AWS::Partition>:cloudwatch:<AWS::Region>:<AWS::AccountId>:alarm:*]',
    )
  }

  /** @returns the URL of the API at the organisation's domain name, or null without the setting `api` */
  private addDomain({ api }: Config): string | null {
    if (api === undefined) return null
    const { url, target } = new ApiDomain(this, 'Domain', { api: this.api, stage: this.api.stage, ...api })
    const description = `CNAME of ${api.domainName}`
    new CfnOutput(this, 'Target', { value: target, description }).overrideLogicalId('ApiTarget')
    return url
  }

  private addSignIn(
    { issuer, audience, scopes }: NonNullable<Config['jwt']>,
    functions: Pick<AdministratorApiProps, 'config' | 'handler' | 'validate' | 'eventApi'>,
  ): AdministratorApi {
    const api = new AdministratorApi(this, 'SignInApi', {
      ...functions,
      authorizer: {
        defaultAuthorizer: new HttpJwtAuthorizer('Jwt', issuer, { jwtAudience: audience }),
        defaultAuthorizationScopes: scopes,
      },
    })
    const description = 'Connectors and message trace, for people who sign in'
    new CfnOutput(this, 'SignIn', { value: api.apiEndpoint, description }).overrideLogicalId('SignInUrl')
    return api
  }

  /** The API whose requests a browser can send: with the setting `jwt`, that of people who sign in. */
  get browserApi(): AdministratorApi {
    return this.signInApi ?? this.api
  }

  /** The number of requests that were answered with 5xx. */
  serverErrors(): IMetric {
    const options = { statistic: Stats.SUM, period: Duration.minutes(5) }
    const iam = this.api.metricServerError(options)
    if (this.signInApi === null) return iam
    return new MathExpression({
      expression: 'FILL(iam, 0) + FILL(signIn, 0)',
      usingMetrics: { iam, signIn: this.signInApi.metricServerError(options) },
      label: 'Answers with 5xx',
      period: options.period,
    })
  }
}

const summaryPeriods = ({ summaries }: Config): string[] => [
  ...((summaries?.daily.length ?? 0) > 0 ? ['Daily'] : []),
  ...((summaries?.weekly.length ?? 0) > 0 ? ['Weekly'] : []),
]
