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

export interface ConsoleProps {
  readonly config: Config
  /** The API whose client the console is. */
  readonly api: AdministratorApi
}

/** The console's files, at the API's own origin. They have no authorizer, because a browser reads them to sign in. */
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
    for (const path of [consolePath, `${consolePath}/{path+}`])
      for (const route of api.addRoutes({ path, methods: [HttpMethod.GET], integration, authorizer }))
        acknowledge(route, 'The files of the console are public: a browser reads them to sign in.', 'APIG4')
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
  }
}
