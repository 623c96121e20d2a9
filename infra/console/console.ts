import { CfnOutput } from 'aws-cdk-lib'
import { HttpMethod, HttpNoneAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2'
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations'
import { Construct } from 'constructs'
import { consolePath } from '../../shared/contract/console.ts'
import { acknowledge } from '../acknowledge.ts'
import type { Config } from '../config.ts'
import type { AdministratorApi } from '../connectors/administrator-api.ts'
import { UnitFunction } from '../unit.ts'
import { bundleConsoleFiles } from './bundle-console-files.ts'

/** Requests per second of all clients together, for each route: a page reads about ten files. */
const throttle = { rateLimit: 20, burstLimit: 100 }

export interface ConsoleProps {
  readonly config: Config
  /** The API whose client the console is. */
  readonly api: AdministratorApi
}

/**
 * The console's files, at the API's own origin. They have no authorizer, because a browser reads them to sign in. Attack: a
 * stranger requests them so often that API Gateway refuses the requests of administrators. Defence: their routes have a
 * throttle of their own.
 */
export class Console extends Construct {
  readonly handler: UnitFunction

  constructor(scope: Construct, id: string, { config, api }: ConsoleProps) {
    super(scope, id)
    this.handler = new UnitFunction(this, 'Function', {
      unit: 'console',
      description: 'The page for administrators',
      config,
      limits: config.functions.console,
      memoryMiB: 256,
      addFiles: bundleConsoleFiles,
    })
    this.setEnvironment(config)
    const integration = new HttpLambdaIntegration('Console', this.handler, { scopePermissionToRoute: false })
    const authorizer = new HttpNoneAuthorizer()
    for (const path of [consolePath, `${consolePath}/{path+}`]) {
      const routes = api.addRoutes({ path, methods: [HttpMethod.GET], integration, authorizer })
      for (const route of routes)
        acknowledge(route, 'The files of the console are public: a browser reads them to sign in.', 'APIG4')
      api.limit(path, HttpMethod.GET, throttle, routes)
    }
    new CfnOutput(this, 'Url', {
      value: `${api.apiEndpoint}${consolePath}`,
      description: 'The page for administrators',
    }).overrideLogicalId('ConsoleUrl')
  }

  private setEnvironment({ jwt, console }: Config): void {
    if (jwt === undefined || console?.clientId === undefined) return
    this.handler.addEnvironment('SIGN_IN_ISSUER', jwt.issuer)
    this.handler.addEnvironment('SIGN_IN_CLIENT_ID', console.clientId)
    this.handler.addEnvironment('SIGN_IN_SCOPES', JSON.stringify(jwt.scopes))
    this.handler.addEnvironment('SIGN_IN_SESSION_MINUTES', String(console.sessionMinutes))
  }
}
